FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -o /out/ ./cmd/...

FROM debian:stable-slim
COPY --from=build /out/coordinator /out/worker /usr/local/bin/
RUN useradd --create-home godags && install -d -o godags -g godags -m 700 /home/godags/.config /home/godags/.config/godags
USER godags
WORKDIR /home/godags
CMD ["worker"]
