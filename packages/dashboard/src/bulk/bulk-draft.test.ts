import { describe, expect, it } from 'vitest';
import { bulkDraft, EMPTY_BULK } from './bulk-draft.ts';

const form = { ...EMPTY_BULK, target: { kind: 'group', value: '/acme' } as const, desired: '{"mode":"eco","old":null}' };

describe('a setting for many devices that is typed', () => {
  it('names them by a group, a filter or their ids', () => {
    expect(bulkDraft(form)).toEqual({ draft: { target: 'group:/acme', desired: { mode: 'eco', old: null }, ratePerSec: 1000 } });
    expect(bulkDraft({ ...form, target: { kind: 'filter', value: 'type = "pump"' } })).toHaveProperty(
      'draft.target',
      'filter:type = "pump"',
    );
    expect(bulkDraft({ ...form, target: { kind: 'device', value: 'a b' }, shadow: 'config' })).toMatchObject({
      draft: { target: ['a', 'b'], shadow: 'config' },
    });
  });

  it('says of each field what is wrong', () => {
    const answer = bulkDraft({ ...EMPTY_BULK, shadow: 'a b', ratePerSec: '0' });
    expect('faults' in answer ? Object.keys(answer.faults).sort() : []).toEqual(['desired', 'ratePerSec', 'shadow', 'target']);
    expect(bulkDraft({ ...form, desired: '[]' })).toHaveProperty('faults.desired');
  });
});
