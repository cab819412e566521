-- Makes a coordinator the owner of a run, or renews its lease.
-- A lease that ends later than one granted now was granted while the clock was ahead. Its age is
-- unknown, so it is cut to its length from now: a live owner renews it before that.
-- KEYS run
-- ARGV coordinator, lease (ms), epoch (0: take over if the lease is free)
-- Returns {epoch, owner}; epoch 0 if another coordinator owns the run
local m = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'until', 'digest', 'lease')
if not m[4] then return redis.error_reply('GONE the run is not in Redis') end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local epoch, over = tonumber(m[2]), tonumber(m[3])
if m[1] ~= ARGV[1] or (ARGV[3] ~= '0' and tonumber(ARGV[3]) ~= epoch) then
  if ARGV[3] ~= '0' then return {0, m[1]} end
  if m[5] and over > now + m[5] then redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + m[5])) end
  if over > now then return {0, m[1]} end
  epoch = epoch + 1
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', epoch, 'lease', ARGV[2], 'until', string.format('%.0f', now + ARGV[2]))
return {epoch, ARGV[1]}
