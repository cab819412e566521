-- Keeps what an attempt has printed so far, if the claim with this token still holds: a text that comes late must not take the place of the
-- log that was reported, nor stay behind without its run.
-- KEYS run fence log   ARGV stage attempt token text
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('GONE the run is not in Redis') end
local attempt = tonumber(ARGV[2])
local claim = string.char(math.floor(attempt / 256), attempt % 256, 1) .. ARGV[3]
if redis.call('GETRANGE', KEYS[2], ARGV[1] * 8, ARGV[1] * 8 + 7) ~= claim then return 0 end
redis.call('HSET', KEYS[3], ARGV[1] .. ':' .. ARGV[2], ARGV[4])
return 1
