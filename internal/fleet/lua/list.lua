-- Lists workers or coordinators with the age of their last heartbeat in milliseconds, and removes
-- those that are too old. A heartbeat from the future was written while the clock was ahead. Its
-- age is unknown, so it counts from now.
-- KEYS workers or coordinators   ARGV age (ms) above which a member is removed
-- Returns {id, age, info, ...}
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local all, list = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local at, info = all[i + 1]:match('^(%d+) (.*)$')
  local age = now - (tonumber(at) or 0)
  if age < 0 then
    age = 0
    redis.call('HSET', KEYS[1], all[i], string.format('%.0f', now) .. ' ' .. info)
  end
  if age > tonumber(ARGV[1]) then
    redis.call('HDEL', KEYS[1], all[i])
  else
    list[#list + 1] = all[i]
    list[#list + 1] = age
    list[#list + 1] = info
  end
end
return list
