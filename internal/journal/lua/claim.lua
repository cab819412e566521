-- Grants attempts to a worker. Sent twice, it grants the same and records once.
-- KEYS run fence journal   ARGV worker token digest (stage attempt record)*
-- Returns one 0 or 1 per stage
local m = redis.call('HMGET', KEYS[1], 'state', 'digest')
if not m[2] then return redis.error_reply('GONE the run is not in Redis') end
if m[2] ~= ARGV[3] then return redis.error_reply('DIGEST the run has another spec') end
local granted, records = {}, {}
for i = 4, #ARGV, 3 do
  local at, attempt = ARGV[i] * 8, tonumber(ARGV[i + 1])
  local cell = redis.call('GETRANGE', KEYS[2], at, at + 7)
  local newest, state = 0, 0
  if #cell == 8 then newest, state = cell:byte(1) * 256 + cell:byte(2), cell:byte(3) end
  local ok = 0
  if state == 1 and newest == attempt and cell:sub(4) == ARGV[2] then
    ok = 1
  elseif state ~= 3 and attempt > newest and m[1] == 'running' then
    ok = 1
    redis.call('SETRANGE', KEYS[2], at, string.char(math.floor(attempt / 256), attempt % 256, 1) .. ARGV[2])
    records[#records + 1] = ARGV[i + 2]
  end
  granted[#granted + 1] = ok
end
if #records > 0 then redis.call('XADD', KEYS[3], '*', 'w', ARGV[1], 'r', table.concat(records)) end
return granted
