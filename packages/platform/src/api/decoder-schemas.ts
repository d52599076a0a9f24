import { z } from 'zod';
import { COMPRESSIONS } from '../payloads/compression.ts';
import { DECODER_NAME_PATTERN, MAX_DECODER_DESCRIPTION } from '../payloads/decoder-definition.ts';
import { MAX_LAYOUT } from '../payloads/packed/packed-layout.ts';
import { MAX_PATH } from '../payloads/paths/document-path.ts';
import { TIME_UNITS } from '../payloads/payload-time.ts';
import { MAX_METRIC_NAME, MAX_UNIT } from '../registry/device-type.ts';
import { STEP_LIMITS } from '../sandbox/script-mailbox.ts';

const metric = z.string().min(1).max(MAX_METRIC_NAME);
const unit = z.string().min(1).max(MAX_UNIT).optional().describe('The unit in which it is sent.');
const scaling = {
  scale: z.number().optional().describe('value = raw × scale + offset. Absent: 1.'),
  offset: z.number().optional().describe('Absent: 0.'),
};
const path = z.string().min(1).max(MAX_PATH).describe('`$.a.b[0]` from the message, `@.a` from the sample.');

const bitsSchema = z.strictObject({
  metric,
  at: z.number().int().min(0).max(31).describe('The lowest bit; 0 is the lowest of the number.'),
  width: z.number().int().min(1).max(32).optional().describe('Bits. 1 (default): a boolean; more: a number.'),
  unit,
  ...scaling,
});

const fieldSchema = z.union([
  metric,
  z.strictObject({
    metric: metric.optional(),
    unit,
    ...scaling,
    absent: z.array(z.number()).max(16).optional().describe('Raw values that mean that there is none.'),
    bits: z.array(bitsSchema).min(1).max(32).optional(),
  }),
]);

export const formatSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('json') }),
    z.strictObject({ kind: z.literal('cbor') }),
    z.strictObject({
      kind: z.literal('senml'),
      encoding: z.enum(['json', 'cbor', 'any']).optional(),
      names: z
        .enum(['full', 'local'])
        .optional()
        .describe('`local`: the name of a record without its base name, the same for all devices of a type.'),
    }),
    z.strictObject({ kind: z.literal('thingsboard') }),
    z.strictObject({ kind: z.literal('batch'), metric: metric.optional().describe('Where the message names none.') }),
    z.strictObject({
      kind: z.literal('paths'),
      input: z.enum(['json', 'cbor']).optional(),
      samples: path.optional().describe('Where the samples are: `$.readings[*]`. Absent: the message is one.'),
      time: z.strictObject({ path, unit: z.enum(TIME_UNITS).optional().describe('Absent: ms since 1970.') }).optional(),
      metrics: z
        .array(z.strictObject({ metric, path, unit, ...scaling, type: z.enum(['number', 'boolean', 'text']).optional() }))
        .max(256)
        .optional(),
      named: z
        .strictObject({
          name: path,
          value: path,
          unit: path.optional().describe('Where the unit stands.'),
          prefix: z.string().max(64).optional(),
        })
        .optional()
        .describe('Samples that name their metric: `{"sensor":"t1","value":21}`.'),
    }),
    z.strictObject({
      kind: z.literal('packed'),
      layout: z.string().min(2).max(MAX_LAYOUT).describe('As Python’s struct: `>Qfff`.'),
      fields: z.array(fieldSchema).min(1).max(256).describe('One for each item; `ts` is the time, `-` nothing.'),
      time: z.enum(['s', 'ms', 'us', 'ns']).optional().describe('What `ts` counts. Absent: ms.'),
      repeat: z.boolean().optional().describe('A message may have the layout several times in a row.'),
    }),
    z.strictObject({
      kind: z.literal('script'),
      source: z
        .string()
        .min(1)
        .max(STEP_LIMITS.sourceBytes)
        .describe('JavaScript with a function `decode(bytes, context)` that returns what could have been sent as JSON.'),
    }),
  ])
  .describe('How the bytes of a message become points.');

export const compressionSchema = z
  .enum(COMPRESSIONS)
  .describe(
    '`auto`: told from the first bytes. Default: none. What is larger than 1 MiB unpacked, or 100 times its size, is refused.',
  );

export const decoderName = z.string().regex(DECODER_NAME_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 : _ . -');

export const decoderDraftSchema = z.strictObject({
  name: decoderName,
  description: z.string().max(MAX_DECODER_DESCRIPTION).optional(),
  format: formatSchema,
  compression: compressionSchema.optional(),
});

export const decoderSchema = z
  .object({
    name: z.string(),
    description: z.string().optional(),
    builtIn: z.boolean().describe('It comes with the platform, and cannot be changed.'),
    format: formatSchema,
    compression: compressionSchema,
    createdAtMs: z.number().optional(),
    updatedAtMs: z.number().optional(),
  })
  .describe('What reads payloads. A device type names it as its `codec`.');

export const trialBodySchema = z
  .strictObject({
    payload: z.string().max(1_048_576).optional().describe('A message, as text.'),
    payloadBase64: z.string().max(1_400_000).optional().describe('The same as bytes.'),
    payloadHex: z
      .string()
      .max(2_097_152)
      .regex(/^([0-9A-Fa-f]{2}|\s)*$/, 'must be pairs of hexadecimal digits')
      .optional(),
    type: z.string().min(1).max(64).optional().describe('A device type: its units and ranges count.'),
  })
  .describe('One of payload, payloadBase64 and payloadHex.');

export const trialSchema = z
  .object({
    ok: z.boolean(),
    points: z
      .array(
        z.object({
          metric: z.string(),
          timeMs: z.number().optional().describe('Absent: the message names none, and that of its arrival counts.'),
          value: z.union([z.number(), z.boolean(), z.string()]),
          unit: z.string().optional().describe('As the device type has it.'),
          outOfRange: z.literal(true).optional(),
        }),
      )
      .describe('The first 1,000.'),
    count: z.number().describe('All of them.'),
    unitsKept: z
      .array(z.object({ metric: z.string(), unit: z.string() }))
      .describe('Values in units from which there is no way to that of the device type: stored as they come.'),
    error: z
      .object({ code: z.string(), reason: z.string() })
      .optional()
      .describe('Why the message would be a dead letter: nothing of it would be stored.'),
  })
  .describe('What a message becomes.');
