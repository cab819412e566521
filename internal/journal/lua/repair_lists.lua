-- Brings the lists of runs into line with the keys of a run. A run without a journal cannot be
-- resumed, so it is due for removal.
-- KEYS run journal runs open ended
-- ARGV run
local m = redis.call('HMGET', KEYS[1], 'digest', 'state', 'expires')
if not m[1] or redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZREM', KEYS[4], ARGV[1])
  -- Its remover may have died. As a run that is due, it gets the next one.
  if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('ZADD', KEYS[5], 0, ARGV[1])
  else
    redis.call('ZREM', KEYS[5], ARGV[1])
  end
elseif m[2] == 'finished' then
  redis.call('ZREM', KEYS[4], ARGV[1])
  if m[3] then redis.call('ZADD', KEYS[5], m[3], ARGV[1]) end
end
return 1
