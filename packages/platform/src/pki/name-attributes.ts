import { textOf } from './certificate-reading.ts';
import { readWhole } from './der-reader.ts';
import { objectId, TAG } from './der-writer.ts';

/** What one part of a distinguished name says. */
export interface NameAttribute {
  /** The whole DER of its type, hex. */
  readonly type: string;
  readonly value: string;
}

/** The attributes of names that are known here (RFC 5280, appendix A.1), by what AWS calls them. */
const TYPES = {
  CommonName: '2.5.4.3',
  SerialNumber: '2.5.4.5',
  Country: '2.5.4.6',
  LocalityName: '2.5.4.7',
  StateName: '2.5.4.8',
  Organization: '2.5.4.10',
  OrganizationalUnit: '2.5.4.11',
  DistinguishedNameQualifier: '2.5.4.46',
} as const;

export type NameType = keyof typeof TYPES;

const NAME_OF_TYPE: ReadonlyMap<string, NameType> = new Map(
  Object.entries(TYPES).map(([name, dotted]) => [objectId(dotted).toString('hex'), name as NameType]), // the keys are NameTypes
);

/** All of a name (DER), in its order. @throws DerError */
export function readName(name: Uint8Array): readonly NameAttribute[] {
  const found: NameAttribute[] = [];
  for (const sets = readWhole(name); !sets.done;) {
    for (const attributes = sets.enter(TAG.set); !attributes.done;) {
      const attribute = attributes.enter();
      const type = attribute.next(TAG.objectId).whole.toString('hex');
      const { tag, content } = attribute.next();
      found.push({ type, value: textOf(tag, content) });
    }
  }
  return found;
}

/** What of a name has a name here; of several of a type the last, which is the narrowest. */
export function namedAttributes(attributes: readonly NameAttribute[]): ReadonlyMap<NameType, string> {
  const found = new Map<NameType, string>();
  for (const { type, value } of attributes) {
    const name = NAME_OF_TYPE.get(type);
    if (name !== undefined) found.set(name, value);
  }
  return found;
}

/** Whether they say the same in the same order, in whatever kind of string. */
export function isSameName(one: readonly NameAttribute[], other: readonly NameAttribute[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ type, value }, index) => type === other[index]?.type && value === other[index].value)
  );
}
