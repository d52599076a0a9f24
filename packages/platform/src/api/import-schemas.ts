import { z } from 'zod';
import { IMPORT_FORMATS, IMPORT_MODES, type DeviceImport } from '../registry/import/device-import.ts';
import { MAX_GROUP_PATH } from '../registry/group-path.ts';

export const formatSchema = z.enum(IMPORT_FORMATS).describe('`csv`, or `jsonl`: a JSON object in each line.');

export const planSchema = z.strictObject({
  format: formatSchema,
  mode: z.enum(IMPORT_MODES).default('upsert').describe('`create` refuses devices that are there, `update` those that are not.'),
  dryRun: z.boolean().default(false).describe('Every row is checked, none is written.'),
  group: z.string().max(MAX_GROUP_PATH).optional().describe('Where new devices go that name no group.'),
  name: z.string().min(1).max(200).optional().describe('Of the file, for people.'),
  sizeBytes: z.int().min(0).optional(),
  fingerprint: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hex')
    .optional()
    .describe('SHA-256 of the content, in hex: an import of yours with the same one that was broken off is gone on with.'),
});

const count = z.number();

export const importSchema = z
  .object({
    id: z.string(),
    state: z.enum(['open', 'done']),
    format: formatSchema,
    mode: z.enum(IMPORT_MODES),
    dryRun: z.boolean(),
    group: z.string().optional(),
    name: z.string().optional(),
    sizeBytes: count.optional(),
    fingerprint: z.string().optional(),
    position: count.describe('Bytes that are done: the next part begins there.'),
    rows: count.describe('Rows that are done; the first line of CSV is row 1.'),
    created: count,
    updated: count,
    unchanged: count,
    refused: count,
    startedBy: z.object({
      kind: z.enum(['user', 'api-key', 'access-key', 'device', 'system']),
      id: z.string(),
      name: z.string(),
    }),
    createdAtMs: count,
    updatedAtMs: count,
    finishedAtMs: count.optional(),
  })
  .describe('An import, as far as it has come.');

export const refusedSchema = z
  .object({
    row: count,
    deviceId: z.string().optional(),
    field: z.string().optional(),
    code: z.string(),
    reason: z.string(),
  })
  .describe('A row that was not taken.');

/** The import as the answers have it. */
export function importToJson(found: DeviceImport): z.infer<typeof importSchema> {
  return { ...found, startedBy: { ...found.startedBy } };
}
