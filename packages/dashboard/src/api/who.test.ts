import { expect, it } from 'vitest';
import { groupsWith, may, mayEverywhere } from './who.ts';

const grant = (group: string, ...permissions: string[]) => ({ group, role: undefined, permissions: new Set(permissions) });
const who = {
  grants: [grant('/acme', 'devices:read', 'devices:write'), grant('/acme/kiel', 'devices:read'), grant('/north', 'devices:read')],
};

it('holds a permission at its node and below it, nowhere else', () => {
  expect(may(who, 'devices:write')).toBe(true);
  expect(may(who, 'devices:write', '/acme/kiel')).toBe(true);
  expect(may(who, 'devices:write', '/acme')).toBe(true);
  expect(may(who, 'devices:write', '/acme-2')).toBe(false);
  expect(may(who, 'devices:write', '/north')).toBe(false);
  expect(may(who, 'users:write')).toBe(false);
});

it('has what belongs to all only at the root', () => {
  expect(mayEverywhere(who, 'devices:read')).toBe(false);
  expect(mayEverywhere({ grants: [grant('/', 'devices:read')] }, 'devices:read')).toBe(true);
});

it('names the topmost nodes', () => {
  expect(groupsWith(who, 'devices:read')).toEqual(['/acme', '/north']);
  expect(groupsWith(who, 'users:read')).toEqual([]);
});
