import { expect, it } from 'vitest';
import type { Device } from '../api/devices.ts';
import { devicePatch, formOf } from './device-form.ts';

const device: Device = {
  id: 'd1',
  name: 'Boiler',
  type: 'boiler',
  group: '/acme',
  attributes: { site: 'Kiel' },
  tags: ['a', 'b'],
  createdAtMs: 1,
  updatedAtMs: 1,
  connectivity: undefined,
  latest: [],
};

it('sends only what was changed', () => {
  const form = formOf(device);
  expect(devicePatch(device, form)).toEqual({ patch: {} });
  expect(devicePatch(device, { ...form, name: ' ', tags: 'a, c', group: '/acme/kiel' })).toEqual({
    patch: { name: null, tags: ['a', 'c'], group: '/acme/kiel' },
  });
  expect(devicePatch(device, { ...form, attributes: '{"floor": 2}' })).toEqual({
    patch: { attributes: { site: null, floor: 2 } },
  });
});

it('refuses attributes that are no JSON object', () => {
  const form = formOf(device);
  for (const attributes of ['[1]', '{', 'null', '"x"']) {
    expect(devicePatch(device, { ...form, attributes }).fault).toMatch(/./);
    expect(devicePatch(device, { ...form, attributes }).patch).toBeUndefined();
  }
});
