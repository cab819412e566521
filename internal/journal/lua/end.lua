-- Moves a run to 'cancelling' or 'finished'. With an epoch only its coordinator may do so. Sent twice, it records once. A finished run is kept for its time.
-- KEYS run journal   ARGV state, epoch (0: anybody's), record, record if the run is being cancelled, entry that it follows from ('' for none)
-- Returns the state that the run was in
local m = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'digest')
if not m[3] then return redis.error_reply('GONE the run is not in Redis') end
if ARGV[2] ~= '0' and m[2] ~= ARGV[2] then return redis.error_reply('FENCED another coordinator has the run') end
if ARGV[5] ~= '' and #redis.call('XRANGE', KEYS[2], ARGV[5], ARGV[5]) == 0 then
  return redis.error_reply('CUT the journal has lost what this follows from')
end
if m[1] == 'running' or (m[1] == 'cancelling' and ARGV[1] == 'finished') then
  redis.call('HSET', KEYS[1], 'state', ARGV[1])
  local entry = redis.call('XADD', KEYS[2], '*', 'w', '', 'r', m[1] == 'cancelling' and ARGV[4] or ARGV[3])
  local keep = tonumber(redis.call('HGET', KEYS[1], 'keep') or '0')
  if ARGV[1] == 'finished' and keep > 0 then
    redis.call('HSET', KEYS[1], 'expires', string.format('%.0f', string.match(entry, '^%d+') + keep))
  end
end
return m[1]
