-- Marks a run as being removed: from now on every reader finds no run. One remover has the sole
-- right for a while, since two at once could remove a new run that was submitted under the same ID.
-- The token of the remover replaces the fence. So no write of an attempt has an effect any more,
-- and none of an earlier remover. A lease that is longer than its length is cut, as in acquire.lua.
-- Sent twice, it answers the same.
-- KEYS run spec fence journal
-- ARGV condition, token of the remover, its time (ms)
--   due: the run is finished and its time is over, or it has neither coordinator nor journal
--   ended: the run is finished
--   idle: the run has no coordinator
-- Returns {1, spec}, or {0} if the condition does not hold; the spec is empty if it is gone
local m = redis.call('HMGET', KEYS[1], 'digest', 'state', 'expires', 'until', 'owner', 'lease')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local over = (tonumber(m[4]) or 0) <= now
if m[6] and tonumber(m[4] or 0) > now + m[6] then redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + m[6])) end
local accepted
if not m[1] then
  -- The process that marked the run has died, or this is our own call, sent twice.
  accepted = over or m[5] == ARGV[2]
elseif ARGV[1] == 'idle' then
  accepted = over
else
  accepted = m[2] == 'finished' and (ARGV[1] == 'ended' or (m[3] and tonumber(m[3]) <= now))
  if ARGV[1] == 'due' and over and redis.call('EXISTS', KEYS[4]) == 0 then accepted = true end
end
if not accepted then return {0} end
redis.call('HDEL', KEYS[1], 'digest')
redis.call('UNLINK', KEYS[3])
redis.call('SET', KEYS[3], '\0\0\0' .. ARGV[2])
redis.call('HSET', KEYS[1], 'state', 'removed', 'owner', ARGV[2], 'lease', ARGV[3], 'until', string.format('%.0f', now + ARGV[3]))
return {1, redis.call('GET', KEYS[2]) or ''}
