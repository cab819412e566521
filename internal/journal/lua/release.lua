-- Ends the lease of a coordinator, so that another can acquire the run at once.
-- KEYS run
-- ARGV coordinator epoch
local m = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'digest')
if m[3] and m[1] == ARGV[1] and m[2] == ARGV[2] then redis.call('HSET', KEYS[1], 'until', 0) end
return 1
