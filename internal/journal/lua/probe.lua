-- Tries what a coordinator does, with a run whose ID no run can have, and leaves no key.
-- KEYS run spec journal fence, lists of runs
-- Returns the commands that the user may not run at all, or not with such a key
local denied = {}
local function try(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  local err = type(answer) == 'table' and answer.err
  if err and (string.find(err, 'permission') or string.find(err, "can't")) then denied[#denied + 1] = command .. ' ' .. key end
  return not err
end
if not try('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) then return denied end
try('HSET', KEYS[1], 'digest', '')
try('SET', KEYS[2], '')
try('GET', KEYS[2])
try('XADD', KEYS[3], '*', 'w', '')
try('XRANGE', KEYS[3], '-', '+')
try('SETRANGE', KEYS[4], 0, '-')
for i = 5, #KEYS do try('ZADD', KEYS[i], 'XX', 0, '') end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
return denied
