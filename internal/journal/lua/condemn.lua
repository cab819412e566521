-- Marks a run as being removed: from now on it is gone for all who ask. Sent twice, it answers the same.
-- KEYS run spec   ARGV condition
--   due: it is finished and its time is over   ended: it is finished   idle: nobody drives it
-- Returns {1, spec} or {0}; the spec is empty if it was removed already
local m = redis.call('HMGET', KEYS[1], 'digest', 'state', 'expires', 'until')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local condemned = not m[1]
if not condemned and ARGV[1] == 'idle' then
  condemned = (tonumber(m[4]) or 0) <= now
elseif not condemned and m[2] == 'finished' then
  condemned = ARGV[1] == 'ended' or (m[3] and tonumber(m[3]) <= now)
end
if not condemned then return {0} end
if m[1] then
  redis.call('HDEL', KEYS[1], 'digest')
  redis.call('HSET', KEYS[1], 'state', 'removed')
end
return {1, redis.call('GET', KEYS[2]) or ''}
