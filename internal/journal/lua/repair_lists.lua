-- Brings the lists into line with what Redis has of a run. One without a journal is none: it is due.
-- KEYS run journal runs open ended   ARGV run
local m = redis.call('HMGET', KEYS[1], 'digest', 'state', 'expires')
if not m[1] or redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZREM', KEYS[4], ARGV[1])
  if redis.call('EXISTS', KEYS[1]) == 1 then -- the process that was removing it may have died: it is due
    redis.call('ZADD', KEYS[5], 0, ARGV[1])
  else
    redis.call('ZREM', KEYS[5], ARGV[1])
  end
elseif m[2] == 'finished' then
  redis.call('ZREM', KEYS[4], ARGV[1])
  if m[3] then redis.call('ZADD', KEYS[5], m[3], ARGV[1]) end
end
return 1
