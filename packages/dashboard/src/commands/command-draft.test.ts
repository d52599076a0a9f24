import { describe, expect, it } from 'vitest';
import { commandDraft, EMPTY_COMMAND } from './command-draft.ts';

const form = { ...EMPTY_COMMAND, name: 'set-fan' };

describe('a command that is typed', () => {
  it('is sent only while somebody waits, or kept for a device that comes later', () => {
    expect(commandDraft({ ...form, payload: '{"speed":2}', timeoutSec: '2.5' })).toEqual({
      draft: { name: 'set-fan', payload: { speed: 2 }, timeoutMs: 2500 },
    });
    expect(commandDraft({ ...form, mode: 'queue', keepFor: '7d', isOneWay: true })).toEqual({
      draft: { name: 'set-fan', expiresAt: 'now+7d', oneWay: true },
    });
  });

  it('takes any JSON as its payload, null and false too', () => {
    expect(commandDraft({ ...form, payload: 'null' })).toHaveProperty('draft.payload', null);
    expect(commandDraft({ ...form, payload: 'false' })).toHaveProperty('draft.payload', false);
  });

  it('says of each field what is wrong', () => {
    const answer = commandDraft({ ...form, name: 'set fan', payload: '{', timeoutSec: '101' });
    expect(answer).toMatchObject({ faults: { name: expect.any(String), timeoutSec: '1 to 100 seconds' } });
    expect(answer).toHaveProperty('faults.payload');
    expect(commandDraft({ ...form, mode: 'queue', timeoutSec: '' })).toHaveProperty('draft');
  });
});
