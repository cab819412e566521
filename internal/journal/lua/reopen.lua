-- Makes a finished run active again, with a new owner and epoch, and keeps it until it is finished
-- again. Sent twice, it records once.
-- KEYS run journal runs open ended
-- ARGV epoch coordinator lease(ms) record run
-- Returns the new epoch
local m = redis.call('HMGET', KEYS[1], 'epoch', 'digest', 'state', 'owner')
if not m[2] then return redis.error_reply('GONE the run is not in Redis') end
local epoch = ARGV[1] + 1
if tonumber(m[1]) == epoch and m[4] == ARGV[2] then return epoch end -- our own call, sent twice
if m[1] ~= ARGV[1] or m[3] ~= 'finished' then return redis.error_reply('FENCED the run was reopened') end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, list in ipairs({KEYS[3], KEYS[4]}) do redis.call('ZADD', list, 'NX', string.format('%.0f', now), ARGV[5]) end
redis.call('ZREM', KEYS[5], ARGV[5])
redis.call('HSET', KEYS[1], 'state', 'running', 'owner', ARGV[2], 'epoch', epoch,
  'lease', ARGV[3], 'until', string.format('%.0f', now + ARGV[3]))
redis.call('HDEL', KEYS[1], 'expires')
-- A claim that follows from an older entry comes from a task of the run's first life: see step.lua.
redis.call('HSET', KEYS[1], 'reopened', redis.call('XADD', KEYS[2], '*', 'w', '', 'r', ARGV[4]))
return epoch
