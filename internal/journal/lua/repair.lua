-- Brings the fence into line with the journal, if the coordinator has read the last entry. A Redis
-- whose AOF was cut off within a transaction may have restored a part of it: a claim or an outcome
-- in the fence without a record in the journal.
-- KEYS run fence journal out
-- ARGV epoch, last entry that the coordinator has read, (stage attempt claimed)*
--   claimed: 1 if the journal has the claim of the attempt and no outcome, 0 if it can be claimed
-- Returns for each stage 1 if its cell was wrong, else 0. A wrong cell of a claimed attempt then
-- has a token that no worker has: the coordinator revokes the attempt
local m = redis.call('HMGET', KEYS[1], 'epoch', 'digest')
if not m[2] then return redis.error_reply('GONE the run is not in Redis') end
if m[1] ~= ARGV[1] then return redis.error_reply('FENCED another coordinator has the run') end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local known, repaired = last and last[1] == ARGV[2], {}
for i = 3, #ARGV, 3 do
  local at, attempt, claimed = ARGV[i] * 8, tonumber(ARGV[i + 1]), ARGV[i + 2] == '1'
  local cell = redis.call('GETRANGE', KEYS[2], at, at + 7)
  local newest, state = 0, 0
  if #cell == 8 then newest, state = cell:byte(1) * 256 + cell:byte(2), cell:byte(3) end
  -- An attempt can be claimed if the cell has an older one that is neither claimed nor terminal.
  local sound = newest < attempt and state ~= 1 and state ~= 3
  if claimed then sound = newest == attempt and state == 1 end
  local wrong = known and not sound
  if wrong then
    if not claimed then attempt = attempt - 1 end
    redis.call('SETRANGE', KEYS[2], at, string.char(math.floor(attempt / 256), attempt % 256, claimed and 1 or 2, 0, 0, 0, 0, 0))
    redis.call('HDEL', KEYS[4], ARGV[i])
  end
  repaired[#repaired + 1] = wrong and 1 or 0
end
return repaired
