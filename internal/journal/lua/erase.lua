-- Removes the keys of a run that is marked deleted, if its remover still has the right to. A
-- remover that was paused for longer than its time must not remove a new run of the same ID.
-- KEYS run spec journal fence out log runs open ended
-- ARGV run, token of the remover
local m = redis.call('HMGET', KEYS[1], 'digest', 'owner')
if m[1] or m[2] ~= ARGV[2] then return 0 end
for i = 7, 9 do redis.call('ZREM', KEYS[i], ARGV[1]) end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
return 1
