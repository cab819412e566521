-- Lets stages of a finished run be claimed again, once it is reopened. Sent twice, it does the same.
-- KEYS run fence   ARGV epoch stage*
local m = redis.call('HMGET', KEYS[1], 'epoch', 'digest', 'state')
if not m[2] then return redis.error_reply('GONE the run is not in Redis') end
if m[1] ~= ARGV[1] or m[3] ~= 'finished' then return redis.error_reply('FENCED the run goes on again') end
for i = 2, #ARGV do
  local at = ARGV[i] * 8
  if redis.call('GETRANGE', KEYS[2], at + 2, at + 2) == '\3' then
    redis.call('SETRANGE', KEYS[2], at + 2, '\2\0\0\0\0\0')
  end
end
return 1
