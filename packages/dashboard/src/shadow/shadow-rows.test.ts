import { describe, expect, it } from 'vitest';
import type { Shadow } from '../api/shadows.ts';
import { shadowRows } from './shadow-rows.ts';

const NOTHING = { desired: {}, inherited: {}, effective: {}, reported: {}, delta: {} };

function shadowOf(parts: Partial<Shadow>): Shadow {
  return { version: 3, updatedAtMs: 0, metadata: { desired: {}, inherited: {}, reported: {} }, ...NOTHING, ...parts };
}

describe('the fields of a shadow', () => {
  it('stand side by side by name, and those that differ are told', () => {
    const rows = shadowRows(
      shadowOf({
        desired: { fan: { speed: 2 }, mode: 'eco' },
        effective: { fan: { speed: 2 }, mode: 'eco' },
        reported: { fan: { speed: 1 }, mode: 'eco', uptime: 7 },
        delta: { fan: { speed: 2 } },
        metadata: {
          desired: { fan: { speed: { atMs: 2000, version: 3 } }, mode: { atMs: 1000, version: 1 } },
          inherited: {},
          reported: { fan: { speed: { atMs: 1000, version: 2 } } },
        },
      }),
      [],
    );
    expect(rows.map(({ label, differs }) => [label, differs])).toEqual([
      ['fan.speed', true],
      ['mode', false],
      ['uptime', false],
    ]);
    expect(rows[0]?.desired).toMatchObject({ value: 2, isInherited: false, atMs: 2000, version: 3 });
    expect(rows[0]?.reported).toEqual({ value: 1, atMs: 1000, version: 2 });
    expect(rows[2]).toMatchObject({ desired: undefined, reported: { value: 7, atMs: undefined } });
  });

  it('tell what is inherited, from where, and what lies over it', () => {
    const layers = [
      { target: 'type:boiler', desired: { mode: 'on', limit: 60 } },
      { target: 'group:/acme', desired: { limit: 70 } },
    ];
    const rows = shadowRows(
      shadowOf({
        desired: { mode: 'eco' },
        inherited: { mode: 'on', limit: 70 },
        effective: { mode: 'eco', limit: 70 },
        delta: { mode: 'eco', limit: 70 },
        metadata: { desired: {}, inherited: { limit: { atMs: 9000, version: 2 } }, reported: {} },
      }),
      layers,
    );
    expect(rows.map(({ label, desired }) => [label, desired])).toEqual([
      ['limit', { value: 70, isInherited: true, from: 'group:/acme', over: undefined, atMs: 9000, version: 2 }],
      ['mode', { value: 'eco', isInherited: false, from: 'type:boiler', over: 'on', atMs: undefined, version: undefined }],
    ]);
  });

  it('are not told to be unreported where the device has reported something else there', () => {
    const told = (desired: Shadow['desired'], reported: Shadow['reported']) =>
      shadowRows(shadowOf({ desired, effective: desired, reported, delta: desired }), [])
        .filter(({ differs }) => differs)
        .map(({ label, isReported }) => [label, isReported]);
    expect(told({ fan: 1 }, { fan: { speed: 3 } })).toEqual([['fan', true]]);
    expect(told({ fan: { speed: 3 } }, { fan: 1 })).toEqual([['fan.speed', true]]);
    expect(told({ fan: { speed: 3 } }, { fan: { mode: 'x' }, other: 1 })).toEqual([['fan.speed', false]]);
  });

  it('are different ones where one side has an object and the other a value', () => {
    const rows = shadowRows(
      shadowOf({
        desired: { fan: { speed: 2 } },
        effective: { fan: { speed: 2 } },
        reported: { fan: 5 },
        delta: { fan: { speed: 2 } },
      }),
      [],
    );
    expect(rows.map(({ label, desired, reported, differs }) => [label, desired?.value, reported?.value, differs])).toEqual([
      ['fan', undefined, 5, false],
      ['fan.speed', 2, undefined, true],
    ]);
  });

  it('show false, zero and null as values, and a list as one', () => {
    const state = { a: false, b: 0, c: null, d: [1, 2], e: {} };
    const rows = shadowRows(shadowOf({ reported: state }), []);
    expect(rows.map(({ reported }) => reported?.value)).toEqual(Object.values(state));
  });
});
