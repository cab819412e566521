-- Records decisions of the coordinator about stages. A decision that a claim has overtaken is left
-- out.
-- KEYS run fence journal
-- ARGV epoch, entry that the decisions follow from ('' for none), (stage kind attempt record)*
--   kind T: the stage ends unexecuted (skipped, cancelled)
--        L: the attempt is lost, another may be claimed
--        F: the attempt ends the stage, whatever its worker reports later
-- Returns 0 or 1 for each decision
local m = redis.call('HMGET', KEYS[1], 'epoch', 'digest')
if not m[2] then return redis.error_reply('GONE the run is not in Redis') end
if m[1] ~= ARGV[1] then return redis.error_reply('FENCED another coordinator has the run') end
if ARGV[2] ~= '' and #redis.call('XRANGE', KEYS[3], ARGV[2], ARGV[2]) == 0 then
  return redis.error_reply('CUT the journal has lost what this follows from')
end
local done, records = {}, {}
for i = 3, #ARGV, 4 do
  local at, kind, attempt = ARGV[i] * 8, ARGV[i + 1], tonumber(ARGV[i + 2])
  local cell = redis.call('GETRANGE', KEYS[2], at, at + 7)
  local newest, state = 0, 0
  if #cell == 8 then newest, state = cell:byte(1) * 256 + cell:byte(2), cell:byte(3) end
  local ok = 0
  if kind == 'T' and state ~= 1 and state ~= 3 then
    ok = 1
    redis.call('SETRANGE', KEYS[2], at, string.char(math.floor(newest / 256), newest % 256, 3, 0, 0, 0, 0, 0))
  elseif kind ~= 'T' and state == 1 and newest == attempt then
    ok = 1
    -- No worker has this token, so no report is accepted any more.
    redis.call('SETRANGE', KEYS[2], at + 2, string.char(kind == 'L' and 2 or 3, 0, 0, 0, 0, 0))
  end
  if ok == 1 then records[#records + 1] = ARGV[i + 3] end
  done[#done + 1] = ok
end
if #records > 0 then redis.call('XADD', KEYS[3], '*', 'w', '', 'r', table.concat(records)) end
return done
