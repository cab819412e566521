-- Records how attempts ended, if the claim with this token still holds them. Sent twice, it records once.
-- KEYS run fence journal out log   ARGV worker token (stage attempt state record hasoutput output log)*
-- Returns one 0 or 1 per attempt
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('GONE the run is not in Redis') end
local accepted, records = {}, {}
for i = 3, #ARGV, 7 do
  local stage, at, attempt = ARGV[i], ARGV[i] * 8, tonumber(ARGV[i + 1])
  local cell = redis.call('GETRANGE', KEYS[2], at, at + 7)
  local ok = 0
  if #cell == 8 and cell:byte(1) * 256 + cell:byte(2) == attempt and cell:sub(4) == ARGV[2] then
    local state = cell:byte(3)
    if state == 1 then
      ok = 1
      redis.call('SETRANGE', KEYS[2], at + 2, string.char(tonumber(ARGV[i + 2])))
      if ARGV[i + 4] == '1' then redis.call('HSET', KEYS[4], stage, ARGV[i + 5]) end
      if ARGV[i + 6] ~= '' then redis.call('HSET', KEYS[5], stage .. ':' .. attempt, ARGV[i + 6]) end
      records[#records + 1] = ARGV[i + 3]
    elseif state == tonumber(ARGV[i + 2]) then
      ok = 1
    end
  end
  accepted[#accepted + 1] = ok
end
if #records > 0 then redis.call('XADD', KEYS[3], '*', 'w', ARGV[1], 'r', table.concat(records)) end
return accepted
