-- Marks a run as being removed: from now on it is gone for all who ask, and one remover has a while for it. Two at once could remove what
-- is submitted under the same id when the first is done. In place of the fence comes the mark of the
-- remover: from now on no write of an attempt has an effect, and none of an earlier remover.
-- Sent twice, it answers the same. An end of the lease that is further away than its length is cut: see acquire.lua.
-- KEYS run spec fence journal   ARGV condition, token of the remover, the time(ms) that it has
--   due: it is finished and its time is over, or it has no coordinator and its journal is gone   ended: it is finished   idle: it has no coordinator
-- Returns {1, spec} or {0}; the spec is empty if it was removed already
local m = redis.call('HMGET', KEYS[1], 'digest', 'state', 'expires', 'until', 'owner', 'lease')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local over = (tonumber(m[4]) or 0) <= now
if m[6] and tonumber(m[4] or 0) > now + m[6] then redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + m[6])) end
local accepted
if not m[1] then
  accepted = over or m[5] == ARGV[2] -- the process that began has died, or it is our own call
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
