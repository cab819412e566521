-- Tells a worker which of its attempts it should stop.
-- KEYS run fence
-- ARGV token, (stage attempt)*
-- Returns a number for each attempt: 0 continue, 1 the run is being cancelled, 2 the claim is void
local state = redis.call('HGET', KEYS[1], 'state')
local controls = {}
for i = 2, #ARGV, 2 do
  local at, attempt = ARGV[i] * 8, tonumber(ARGV[i + 1])
  local cell = redis.call('GETRANGE', KEYS[2], at, at + 7)
  local control = 0
  if #cell < 8 or cell:byte(1) * 256 + cell:byte(2) ~= attempt or cell:byte(3) ~= 1 or cell:sub(4) ~= ARGV[1] then
    control = 2
  elseif state ~= 'running' then
    control = 1
  end
  controls[#controls + 1] = control
end
return controls
