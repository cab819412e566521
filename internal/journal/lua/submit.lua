-- Creates a run, whole or not at all.
-- KEYS run spec journal   ARGV digest spec pipeline stages coordinator lease(ms) record signature epoch(0: nobody drives it yet) keep(ms; 0: for ever) incarnation
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
redis.call('SET', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], 'digest', ARGV[1], 'pipeline', ARGV[3], 'stages', ARGV[4], 'state', 'running', 'signature', ARGV[8], 'incarnation', ARGV[11], 'keep', ARGV[10],
  'owner', ARGV[5], 'epoch', epoch, 'until', string.format('%.0f', now + ARGV[6]))
redis.call('XADD', KEYS[3], '*', 'w', '', 'r', ARGV[7])
return {1, ARGV[1], epoch}
