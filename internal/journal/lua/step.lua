-- A worker's step through a bundle: records how attempts ended, if the claim with this token still holds them, then grants
-- further attempts. Sent twice, it answers the same and records once.
-- KEYS run fence journal out log
-- ARGV worker token digest n, n times (stage attempt state record hasoutput output log), then (stage attempt record)*
-- Returns one 0 or 1 for each outcome, then for each claim
local m = redis.call('HMGET', KEYS[1], 'state', 'digest')
if not m[2] then return redis.error_reply('GONE the run is not in Redis') end
local token, answers, records = ARGV[2], {}, {}
local claims = 5 + 7 * ARGV[4]
if claims <= #ARGV and m[2] ~= ARGV[3] then return redis.error_reply('DIGEST the run has another spec') end
for i = 5, claims - 1, 7 do
  local stage, at, attempt = ARGV[i], ARGV[i] * 8, tonumber(ARGV[i + 1])
  local cell = redis.call('GETRANGE', KEYS[2], at, at + 7)
  local ok = 0
  if #cell == 8 and cell:byte(1) * 256 + cell:byte(2) == attempt and cell:sub(4) == token then
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
  answers[#answers + 1] = ok
end
for i = claims, #ARGV, 3 do
  local at, attempt = ARGV[i] * 8, tonumber(ARGV[i + 1])
  local cell = redis.call('GETRANGE', KEYS[2], at, at + 7)
  local newest, state = 0, 0
  if #cell == 8 then newest, state = cell:byte(1) * 256 + cell:byte(2), cell:byte(3) end
  local ok = 0
  if state == 1 and newest == attempt and cell:sub(4) == token then
    ok = 1
  elseif state ~= 3 and attempt > newest and m[1] == 'running' then
    ok = 1
    redis.call('SETRANGE', KEYS[2], at, string.char(math.floor(attempt / 256), attempt % 256, 1) .. token)
    records[#records + 1] = ARGV[i + 2]
  end
  answers[#answers + 1] = ok
end
if #records > 0 then redis.call('XADD', KEYS[3], '*', 'w', ARGV[1], 'r', table.concat(records)) end
return answers
