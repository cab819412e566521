-- Adds what an attempt has printed since the last call to its log, if the claim with this token still
-- holds: a text that comes late must not change the log that was reported, nor stay behind without
-- its run.
-- KEYS run fence log
-- ARGV stage, attempt, token, offset of the head, head, offset of the tail, tail, bytes of tail to keep
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('GONE the run is not in Redis') end
local attempt = tonumber(ARGV[2])
local claim = string.char(math.floor(attempt / 256), attempt % 256, 1) .. ARGV[3]
if redis.call('GETRANGE', KEYS[2], ARGV[1] * 8, ARGV[1] * 8 + 7) ~= claim then return 0 end
local field = ARGV[1] .. ':' .. ARGV[2]
if ARGV[5] ~= '' then
  -- Sent twice, the second text takes the place of the first.
  local head = redis.call('HGET', KEYS[3], field) or ''
  redis.call('HSET', KEYS[3], field, string.sub(head, 1, tonumber(ARGV[4])) .. ARGV[5])
end
if ARGV[7] ~= '' then
  local from, tail, keep = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
  local stored = redis.call('HGET', KEYS[3], field .. ':tail')
  if stored then
    local cut = string.find(stored, '\n', 1, true)
    local at = tonumber(string.sub(stored, 1, cut - 1))
    if from >= at and from <= at + #stored - cut then
      tail = string.sub(stored, cut + 1, cut + from - at) .. tail
      from = at
    end
  end
  if #tail > keep then
    from = from + #tail - keep
    tail = string.sub(tail, -keep)
  end
  redis.call('HSET', KEYS[3], field .. ':tail', string.format('%.0f\n', from) .. tail)
end
return 1
