-- Brings the fence into line with the journal, if the coordinator knows its last entry. A Redis whose AOF was cut off within a transaction
-- may have brought back a part of it: a claim, or an end, of which the journal says nothing.
-- KEYS run fence journal out   ARGV epoch, entry that the coordinator knows last, (stage attempt claimed)*
--   claimed: 1 if the journal says that a worker has claimed the attempt and it has not ended, 0 if it is still to be claimed
-- Returns one 0 or 1 per stage: 1 if its cell was wrong. A claimed one then belongs to no worker, to be revoked
local m = redis.call('HMGET', KEYS[1], 'epoch', 'digest')
if not m[2] then return redis.error_reply('GONE the run is not in Redis') end
if m[1] ~= ARGV[1] then return redis.error_reply('FENCED another coordinator has the run') end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local known, mended = last and last[1] == ARGV[2], {}
for i = 3, #ARGV, 3 do
  local at, attempt, claimed = ARGV[i] * 8, tonumber(ARGV[i + 1]), ARGV[i + 2] == '1'
  local cell = redis.call('GETRANGE', KEYS[2], at, at + 7)
  local newest, state = 0, 0
  if #cell == 8 then newest, state = cell:byte(1) * 256 + cell:byte(2), cell:byte(3) end
  local sound = newest < attempt and state ~= 1 and state ~= 3
  if claimed then sound = newest == attempt and state == 1 end
  local wrong = known and not sound
  if wrong then
    if not claimed then attempt = attempt - 1 end
    redis.call('SETRANGE', KEYS[2], at, string.char(math.floor(attempt / 256), attempt % 256, claimed and 1 or 2, 0, 0, 0, 0, 0))
    redis.call('HDEL', KEYS[4], ARGV[i])
  end
  mended[#mended + 1] = wrong and 1 or 0
end
return mended
