-- Lets stages of a finished run be claimed again once it is reopened, and drops their outputs: if
-- such a stage has no output this time, the old one must not be taken for it. Sent twice, it does
-- the same.
-- KEYS run fence out
-- ARGV epoch, stage*
local m = redis.call('HMGET', KEYS[1], 'epoch', 'digest', 'state')
if not m[2] then return redis.error_reply('GONE the run is not in Redis') end
if m[1] ~= ARGV[1] or m[3] ~= 'finished' then return redis.error_reply('FENCED the run was reopened') end
for i = 2, #ARGV do
  local at = ARGV[i] * 8
  if redis.call('GETRANGE', KEYS[2], at + 2, at + 2) == '\3' then
    redis.call('SETRANGE', KEYS[2], at + 2, '\2\0\0\0\0\0')
  end
  redis.call('HDEL', KEYS[3], ARGV[i])
end
return 1
