-- A worker's step through a batch. In the order of the ops, it records how attempts ended, if the
-- claim with this token still holds, and grants further claims. Sent twice, it answers the same and
-- records once.
-- KEYS run fence journal out log
-- ARGV 1 worker, 2 token, 3 digest of the spec ('' if nothing is claimed), 4 ranges, 5 ops,
--   6 records, 7 entry that the claims follow from ('' for none), then (field, value) of each
--   output and log
--   ranges: (first cell 4, cells 4)*, the cells to read; numbers behind names are sizes in bytes
--   ops: (place 2, attempt 2, kind 1, length of the record 2)*; the place is among those cells
--   kind: the state that the cell gets: 1 claimed, 2 ended, 3 terminal
--     + 4 with an output, + 8 with a log
--     + 16 linked: accepted only if the op before was accepted and ended its stage
--     + 32 granted even while the run is being cancelled
--     + 64 with the end of a long log
-- Returns '0' or '1' for each op
local m = redis.call('HMGET', KEYS[1], 'state', 'digest', 'reopened')
if not m[2] then return redis.error_reply('GONE the run is not in Redis') end
if ARGV[3] ~= '' and m[2] ~= ARGV[3] then return redis.error_reply('DIGEST the run has another spec') end
if ARGV[3] ~= '' and ARGV[7] ~= '' then
  if #redis.call('XRANGE', KEYS[3], ARGV[7], ARGV[7]) == 0
    or m[3] and #redis.call('XRANGE', KEYS[3], m[3], ARGV[7], 'COUNT', 1) == 0 then
    return redis.error_reply('CUT the journal has lost what this follows from, or the run was reopened since')
  end
end
local byte, sub, cells, ranges = string.byte, string.sub, {}, {}
for i = 1, #ARGV[4], 8 do
  local a, b, c, d, e, f, g, h = byte(ARGV[4], i, i + 7)
  local at, n = (((a * 256 + b) * 256 + c) * 256 + d) * 8, ((e * 256 + f) * 256 + g) * 256 + h
  local got = redis.call('GETRANGE', KEYS[2], at, at + n * 8 - 1)
  got = got .. string.rep('\0', n * 8 - #got)
  ranges[#ranges + 1] = {at, #cells + 1, #cells + n}
  for k = 1, n * 8, 8 do cells[#cells + 1] = sub(got, k, k + 7) end
end
local token, ops, answers, kept, outputs, logs = ARGV[2], ARGV[5], {}, {}, {}, {}
local at, extra, accepted, ended = 1, 8, false, false
for i = 1, #ops, 7 do
  local a, b, c, d, kind, e, f = byte(ops, i, i + 6)
  local place, attempt, length, to = a * 256 + b, c * 256 + d, e * 256 + f, kind % 4
  local p, q, state = byte(cells[place], 1, 3)
  local newest, linked, new = p * 256 + q, kind % 32 >= 16, false
  if linked and not (accepted and ended) then
    accepted = false
  elseif newest == attempt and sub(cells[place], 4) == token then
    accepted, new = state == 1 or state == to or linked, state == 1 and to > 1
  else
    accepted = to == 1 and state ~= 3 and attempt > newest and (m[1] == 'running' or kind % 64 >= 32 and m[1] == 'cancelling')
    new = accepted
  end
  ended = to == 3
  if new then
    cells[place] = string.char(c, d, to) .. token
    kept[#kept + 1] = sub(ARGV[6], at, at + length - 1)
  end
  at = at + length
  if kind % 8 >= 4 then
    if new then outputs[#outputs + 1] = ARGV[extra]; outputs[#outputs + 1] = ARGV[extra + 1] end
    extra = extra + 2
  end
  if kind % 16 >= 8 then
    if new then logs[#logs + 1] = ARGV[extra]; logs[#logs + 1] = ARGV[extra + 1] end
    extra = extra + 2
  end
  if kind >= 64 then
    if new then logs[#logs + 1] = ARGV[extra]; logs[#logs + 1] = ARGV[extra + 1] end
    extra = extra + 2
  end
  answers[#answers + 1] = accepted and '1' or '0'
end
if #kept > 0 then
  for _, r in ipairs(ranges) do
    redis.call('SETRANGE', KEYS[2], r[1], table.concat(cells, '', r[2], r[3]))
  end
  if #outputs > 0 then redis.call('HSET', KEYS[4], unpack(outputs)) end
  if #logs > 0 then redis.call('HSET', KEYS[5], unpack(logs)) end
  redis.call('XADD', KEYS[3], '*', 'w', ARGV[1], 'r', table.concat(kept))
end
return table.concat(answers)
