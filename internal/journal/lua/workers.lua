-- Lists workers with the age of their last beat in milliseconds, and forgets those that are long gone.
-- A beat from the future was written while the clock was ahead: nobody can tell how old it is, so it counts from now.
-- KEYS workers   ARGV age(ms) at which a worker is forgotten
-- Returns {worker, age, info, ...}
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
