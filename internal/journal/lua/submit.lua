-- Creates a run and enters it into the lists, whole or not at all. The lists come first: an AOF
-- that is cut off within the script may leave an entry without a run, which the next reader
-- removes.
-- KEYS run spec journal runs open
-- ARGV 1 digest, 2 spec, 3 pipeline, 4 stages, 5 coordinator, 6 lease (ms), 7 record, 8 signature,
--   9 epoch (0: no coordinator yet), 10 time to keep (ms; 0: for ever), 11 incarnation, 12 run
-- Returns {created, digest of the run's spec, epoch}
local digest = redis.call('HGET', KEYS[1], 'digest')
if digest then
  if digest == ARGV[1] and redis.call('HGET', KEYS[1], 'owner') == ARGV[5] then
    return {1, digest, tonumber(redis.call('HGET', KEYS[1], 'epoch'))} -- our own call, sent twice
  end
  return {0, digest, 0}
end
if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('REMOVING the run of this id is just being removed: try again') end
local epoch = tonumber(ARGV[9])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, list in ipairs({KEYS[4], KEYS[5]}) do redis.call('ZADD', list, 'NX', string.format('%.0f', now), ARGV[12]) end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], 'digest', ARGV[1], 'pipeline', ARGV[3], 'stages', ARGV[4], 'state', 'running', 'signature', ARGV[8], 'incarnation', ARGV[11], 'keep', ARGV[10],
  'owner', ARGV[5], 'epoch', epoch, 'lease', ARGV[6], 'until', string.format('%.0f', now + ARGV[6]))
redis.call('XADD', KEYS[3], '*', 'w', '', 'r', ARGV[7])
return {1, ARGV[1], epoch}
