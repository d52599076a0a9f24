import type { DeviceQuery } from '../api/devices.ts';

const BEGINNING_OF_AN_ID = /^[A-Za-z0-9:_.-]*$/;

/** What is typed: the beginning of an id where it can be one, otherwise text of the filter language. */
export function deviceQuery(text: string, group: string | undefined): DeviceQuery {
  const asked = text.trim();
  if (asked === '') return { group };
  return BEGINNING_OF_AN_ID.test(asked) ? { q: asked, group } : { filter: asked, group };
}
