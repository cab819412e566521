-- Returns what attempts have printed after an offset. A whole log for every look would be up to 128 KiB
-- an attempt, several times a second.
-- KEYS log   ARGV for each attempt: its field, offset
-- Returns for each: the head after the offset, offset of the tail, the tail after the offset
local answers = {}
for i = 1, #ARGV, 2 do
  local offset = tonumber(ARGV[i + 1])
  local logs = redis.call('HMGET', KEYS[1], ARGV[i], ARGV[i] .. ':tail')
  local head, tail, from = string.sub(logs[1] or '', offset + 1), '', offset
  if logs[2] then
    local cut = string.find(logs[2], '\n', 1, true)
    from = tonumber(string.sub(logs[2], 1, cut - 1))
    local skip = math.max(0, offset - from)
    tail = string.sub(logs[2], cut + 1 + skip)
    from = from + skip
  end
  answers[#answers + 1] = head
  answers[#answers + 1] = string.format('%.0f', from)
  answers[#answers + 1] = tail
end
return answers
