-- Tells a worker which of the attempts that it executes it should stop.
-- KEYS run fence   ARGV token (stage attempt)*
-- Returns one 0 (go on), 1 (the run is being cancelled) or 2 (the attempt is not this claim's any more) per attempt
local state = redis.call('HGET', KEYS[1], 'state')
local orders = {}
for i = 2, #ARGV, 2 do
  local at, attempt = ARGV[i] * 8, tonumber(ARGV[i + 1])
  local cell = redis.call('GETRANGE', KEYS[2], at, at + 7)
  local order = 0
  if #cell < 8 or cell:byte(1) * 256 + cell:byte(2) ~= attempt or cell:byte(3) ~= 1 or cell:sub(4) ~= ARGV[1] then
    order = 2
  elseif state ~= 'running' then
    order = 1
  end
  orders[#orders + 1] = order
end
return orders
