-- Writes the heartbeat of a worker or coordinator, with the time of Redis. No other clock matters.
-- KEYS workers or coordinators   ARGV id info
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)) .. ' ' .. ARGV[2])
return 1
