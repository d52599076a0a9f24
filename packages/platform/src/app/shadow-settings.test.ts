import { expect, test } from 'vitest';
import { SHADOW_SETTINGS, shadowOptions } from './shadow-settings.ts';

test('shadows have the limits of AWS where nobody says otherwise, and the types that are named are strict', () => {
  expect(shadowOptions(SHADOW_SETTINGS.parse(undefined))).toEqual({
    limits: { maxDocumentBytes: 8_192, maxLevels: 8 },
    deltaOnSubscribe: true,
    strictTypes: [],
    history: { maxAgeMs: 30 * 86_400_000, maxRows: 2_000_000 },
  });
  const settings = SHADOW_SETTINGS.parse({ awsStrictTypes: 'pump, valve,', deltaOnSubscribe: 'false', historyDays: '0.5' });
  expect(shadowOptions(settings)).toMatchObject({
    strictTypes: ['pump', 'valve'],
    deltaOnSubscribe: false,
    history: { maxAgeMs: 43_200_000 },
  });
});
