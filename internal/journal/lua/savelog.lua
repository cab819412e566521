-- Keeps what an attempt has printed so far. Without its run the log would stay behind for ever.
-- KEYS run log   ARGV field text
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('GONE the run is not in Redis') end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
