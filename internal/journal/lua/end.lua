-- Moves a run to 'cancelling' (anybody) or 'finished' (its coordinator). Sent twice, it records once.
-- KEYS run journal   ARGV state epoch record
-- Returns the state that the run was in
local m = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'digest')
if not m[3] then return redis.error_reply('GONE the run is not in Redis') end
if ARGV[1] == 'finished' and m[2] ~= ARGV[2] then return redis.error_reply('FENCED another coordinator has the run') end
if m[1] == 'running' or (m[1] == 'cancelling' and ARGV[1] == 'finished') then
  redis.call('HSET', KEYS[1], 'state', ARGV[1])
  redis.call('XADD', KEYS[2], '*', 'w', '', 'r', ARGV[3])
end
return m[1]
