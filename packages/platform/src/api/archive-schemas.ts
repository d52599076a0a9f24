import { z } from 'zod';
import type { ArchivedObject } from '../archive/archive-index.ts';
import type { BadObject } from '../archive/object-faults.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';

export const archiveStatusSchema = z
  .object({
    state: z
      .enum(['off', 'idle', 'working', 'failing', 'misplaced', 'unknown-objects', 'rebuilding'])
      .describe(
        'off: none is configured. idle: all that is due is archived. failing: the last try failed and is repeated. misplaced: its objects are not where it is configured to be. unknown-objects: there are objects that the manifest does not know; nothing is archived until they are taken over. rebuilding: they are being taken over.',
      ),
    target: z.enum(['off', 'disk', 's3']),
    place: z.string().optional().describe('Where the objects are.'),
    objects: z.number().int(),
    bytes: z.number().int().describe('Of all objects.'),
    points: z.number().int(),
    backlogHours: z.number().int().describe('Hours that are over and not archived as they are.'),
    lagMs: z.number().int().describe('How long the oldest of them is over, ms.'),
    openErasures: z.number().int().describe('Devices whose telemetry is being erased.'),
    badObjects: z.number().int().describe('Archived objects that are damaged or gone: everything else goes on without them.'),
    rebuild: z
      .object({
        found: z.number().int().describe('Objects that the manifest did not know.'),
        adopted: z.number().int().describe('Taken over.'),
        outdated: z.number().int().describe('Deleted, for another one has their points.'),
        left: z.number().int().describe('They cannot be read, or are not what their key says: left where they are.'),
      })
      .optional()
      .describe('The last rebuild since the start of the server, or the one that is under way.'),
    lastStoredAtMs: z.number().int().optional().describe('When objects were stored last, since the start of the server.'),
    failures: z.number().int().describe('Since the start of the server.'),
    lastError: z.object({ code: z.string(), message: z.string(), atMs: z.number().int() }).optional(),
  })
  .describe('What is archived, and what waits.');

export const archivedObjectSchema = z.object({
  id: z.number().int(),
  key: z.string().describe('In the folder, or in the bucket after its prefix.'),
  deviceType: z.string().optional().describe('Absent: devices without a type.'),
  day: z.iso.date().describe('UTC.'),
  hour: z.number().int().optional().describe('Absent: hours of the day joined in one.'),
  bytes: z.number().int(),
  sha256: z.string(),
  points: z.number().int(),
  firstMs: z.number().int().describe('Time of the oldest point.'),
  lastMs: z.number().int().describe('Time of the newest point.'),
  firstDevice: z.string(),
  lastDevice: z.string(),
  storedAtMs: z.number().int(),
});

export const badObjectSchema = z
  .object({
    ...archivedObjectSchema.shape,
    code: z
      .string()
      .describe(
        'data.corrupt: it is not what was archived. archive.object-gone: it is not there. Others: what failed when it was used.',
      ),
    message: z.string(),
    sinceMs: z.number().int().describe('Since when it cannot be used.'),
    triedAtMs: z.number().int().describe('When it was looked at last.'),
    tries: z.number().int().describe('How often it was looked at since then, or since somebody asked to archive now.'),
    nextTryMs: z.number().int().describe('When it is looked at again: after a minute, 4, 16, … 6 hours at most.'),
  })
  .describe('An archived object that cannot be used.');

export const archiveRunSchema = z
  .object({
    left: z
      .object({
        because: z
          .enum(['replaying', 'behind', 'busy', 'failing'])
          .describe(
            'replaying: the log of before the start is being read. behind: the log grows faster than it is read. busy: it took more than a minute. failing: the store cannot be written.',
          ),
        waiting: z.number().int().describe('Messages in the log that are not read (replaying, behind), or points in memory.'),
      })
      .optional()
      .describe('What had come and is not stored yet: it is archived later. Absent: nothing.'),
  })
  .describe('It is being done.');

export type ArchiveRunJson = z.infer<typeof archiveRunSchema>;
export type BadObjectJson = z.infer<typeof badObjectSchema>;
export type ArchiveStatusJson = z.infer<typeof archiveStatusSchema>;
export type ArchivedObjectJson = z.infer<typeof archivedObjectSchema>;

export function badObjectJson({ object, code, message, sinceMs, triedMs, tries, nextTryMs }: BadObject): BadObjectJson {
  return { ...archivedObjectJson(object), code, message, sinceMs, triedAtMs: triedMs, tries, nextTryMs };
}

export function archivedObjectJson(object: Omit<ArchivedObject, 'hidden'>): ArchivedObjectJson {
  const { id, key, deviceType, day, hour, sizeBytes, sha256, rows, firstMs, lastMs, firstDevice, lastDevice } = object;
  return {
    id,
    key,
    ...(deviceType === undefined ? {} : { deviceType }),
    day: new Date(day * DAY_MS).toISOString().slice(0, -14),
    ...(hour === undefined ? {} : { hour }),
    bytes: sizeBytes,
    sha256,
    points: rows,
    firstMs,
    lastMs,
    firstDevice,
    lastDevice,
    storedAtMs: object.storedMs,
  };
}
