"""The Lua scripts that read and write records; each runs as one step of the server."""

from __future__ import annotations

from tiered_cache.entry import HEAD_BYTES, TOKEN_BYTES, TOMBSTONE_MAGIC
from tiered_cache.tiers.redis._change_log import LOG_FUNCTION
from tiered_cache.tiers.redis._resp import Script

__all__ = ["DELETE", "HEADS", "NO_CONDITION", "PUT"]

NO_CONDITION = "*"
"""For `PUT`, in place of an expected token: write in any case."""

# KEYS: the generation, the log, the records. ARGV: origin; number of strings to log, and these; for
# each record the expected token, the bytes and the lifetime in ms. The reply: for each refused
# record its index, and 0 or the generation. Logging comes first: if the server has no memory for
# it, nothing has changed yet.
PUT = Script(f"""{LOG_FUNCTION}
local at = 3 + ARGV[2]
if at > 3 then log(KEYS[2], ARGV[1], 3, at - 1) end
local refused, generation = {{}}, nil
for i = 3, #KEYS do
  local expected, reply = ARGV[at], 1
  if expected ~= '{NO_CONDITION}' then
    local there = redis.pcall('GETRANGE', KEYS[i], 0, {TOKEN_BYTES - 1})
    if there ~= '' then
      if there ~= expected then reply = 0 end
    else
      generation = generation or redis.call('GET', KEYS[1]) or ''
      if generation ~= expected then reply = generation end
    end
  end
  if reply == 1 then
    if ARGV[at + 2] == '' then redis.call('SET', KEYS[i], ARGV[at + 1])
    else redis.call('SET', KEYS[i], ARGV[at + 1], 'PX', ARGV[at + 2]) end
  end
  if reply ~= 1 then
    refused[#refused + 1] = i - 3
    refused[#refused + 1] = reply
  end
  at = at + 3
end
return refused
""")
# KEYS: the records. The reply: for each one that exists its index and its first bytes. Most keys of
# a burst of writes are new, so an absent record costs no reply.
HEADS = Script(f"""
local found = {{}}
for i = 1, #KEYS do
  local head = redis.pcall('GETRANGE', KEYS[i], 0, {HEAD_BYTES - 1})
  if head ~= '' then
    found[#found + 1] = i - 1
    found[#found + 1] = head
  end
end
return found
""")
# KEYS: the log, the records. ARGV: origin; number of strings to log, and these; a tombstone and its
# lifetime in ms. The reply: the number of records that were there.
DELETE = Script(f"""{LOG_FUNCTION}
local at = 3 + ARGV[2]
log(KEYS[1], ARGV[1], 3, at - 1)
local there = 0
for i = 2, #KEYS do
  local head = redis.pcall('GETRANGE', KEYS[i], 0, {len(TOMBSTONE_MAGIC) - 1})
  redis.call('SET', KEYS[i], ARGV[at], 'PX', ARGV[at + 1])
  if head ~= '' and head ~= string.sub(ARGV[at], 1, {len(TOMBSTONE_MAGIC)}) then there = there + 1 end
end
return there
""")
