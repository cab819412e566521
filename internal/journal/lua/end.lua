-- Moves a run to 'cancelling' or 'finished', in one step with the lists of runs. With an epoch,
-- only the owner may do so. Sent twice, it records once. A finished run gets the time until which
-- it is kept.
-- KEYS run journal open ended
-- ARGV state, epoch (0: any process), record, record if the run is being cancelled,
--   entry that this follows from ('' for none), run
-- Returns the state before
local m = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'digest')
if not m[3] then return redis.error_reply('GONE the run is not in Redis') end
if ARGV[2] ~= '0' and m[2] ~= ARGV[2] then return redis.error_reply('FENCED another coordinator has the run') end
if ARGV[5] ~= '' and #redis.call('XRANGE', KEYS[2], ARGV[5], ARGV[5]) == 0 then
  return redis.error_reply('CUT the journal has lost what this follows from')
end
if m[1] == 'running' or (m[1] == 'cancelling' and ARGV[1] == 'finished') then
  redis.call('HSET', KEYS[1], 'state', ARGV[1])
  local entry = redis.call('XADD', KEYS[2], '*', 'w', '', 'r', m[1] == 'cancelling' and ARGV[4] or ARGV[3])
  if ARGV[1] == 'finished' then
    redis.call('ZREM', KEYS[3], ARGV[6])
    local keep = tonumber(redis.call('HGET', KEYS[1], 'keep') or '0')
    if keep > 0 then
      -- IDs of entries never go back: once the clock was ahead, they stay ahead until the clock has
      -- caught up.
      local t = redis.call('TIME')
      local now = math.min(t[1] * 1000 + math.floor(t[2] / 1000), tonumber(string.match(entry, '^%d+')))
      local expires = string.format('%.0f', now + keep)
      redis.call('HSET', KEYS[1], 'expires', expires)
      redis.call('ZADD', KEYS[4], expires, ARGV[6])
    end
  end
end
return m[1]
