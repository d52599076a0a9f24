import { z } from 'zod';
import type { ShadowDomainOptions } from '../shadows/shadow-domain.ts';

/** Settings of shadows. The defaults are what AWS IoT has, but for the delta on subscribing. */
export const SHADOW_SETTINGS = z
  .strictObject({
    maxDocumentBytes: z.coerce
      .number()
      .int()
      .min(1_024)
      .max(131_072)
      .default(8_192)
      .describe('Bytes that the desired and reported state of a shadow may take together, as JSON.'),
    maxLevels: z.coerce.number().int().min(1).max(32).default(8).describe('Levels of objects and arrays in a shadow.'),
    deltaOnSubscribe: z
      .stringbool()
      .or(z.boolean())
      .prefault(true)
      .describe(
        'Whether a device that subscribes to a delta topic, or comes back to its session, is sent the delta that there is. AWS IoT does not: there a device asks with `get`.',
      ),
    awsStrictTypes: z
      .string()
      .default('')
      .describe('Device types, with commas between, whose devices are never sent a delta because they subscribe.'),
    historyDays: z.coerce.number().positive().max(3_650).default(30).describe('Days for which the history of shadows is kept.'),
    historyRows: z.coerce
      .number()
      .int()
      .positive()
      .default(2_000_000)
      .describe('Changes that the history of all shadows together keeps at most; the oldest go first.'),
  })
  .prefault({});

const DAY_MS = 24 * 3_600_000;

/** What of it the shadows get. */
export function shadowOptions(
  settings: z.infer<typeof SHADOW_SETTINGS>,
): Required<Pick<ShadowDomainOptions, 'limits' | 'deltaOnSubscribe' | 'strictTypes' | 'history'>> {
  const { maxDocumentBytes, maxLevels, deltaOnSubscribe, awsStrictTypes, historyDays, historyRows } = settings;
  return {
    limits: { maxDocumentBytes, maxLevels },
    deltaOnSubscribe,
    strictTypes: awsStrictTypes.split(',').flatMap((type) => type.trim() || []),
    history: { maxAgeMs: historyDays * DAY_MS, maxRows: historyRows },
  };
}
