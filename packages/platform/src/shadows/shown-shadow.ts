import { metadataText } from './shadow-answers.ts';
import type { JsonObject, ShadowDocument, StampTree } from './shadow-document.ts';
import { mergeLayers, mergeStamps } from './shadow-merge.ts';

/** A section as others see it. */
export interface ShownSection {
  readonly value: JsonObject;
  readonly stamps: StampTree;
}

/** A document as AWS shows it: what is desired with what is inherited. */
export interface ShownShadow {
  readonly version: number;
  readonly desired: ShownSection | undefined;
  readonly reported: ShownSection | undefined;
  /** JSON of both. */
  readonly state: string;
}

/** The metadata of both sections, JSON. */
export interface MetadataTexts {
  readonly desired: string | undefined;
  readonly reported: string | undefined;
}

const UNSTAMPED: StampTree = {};

/** @param ownState of its row: it is what is shown, where nothing is inherited. */
export function shownOf(document: ShadowDocument, ownState: string): ShownShadow {
  const desired = shownDesired(document);
  const reported = sectionOf(document.reported, document.stamps.reported);
  const state =
    document.inherited === undefined ? ownState : JSON.stringify({ desired: desired?.value, reported: reported?.value });
  return { version: document.version, desired, reported, state };
}

/** What the device is to be: what is wanted for it, over what it inherits. */
export function shownDesired({ desired, inherited, stamps }: ShadowDocument): ShownSection | undefined {
  const own = sectionOf(desired, stamps.desired);
  if (inherited === undefined) return own;
  const under = { value: inherited, stamps: stamps.inherited ?? UNSTAMPED };
  return {
    value: mergeLayers(inherited, desired) ?? inherited,
    stamps: mergeStamps(under, own) ?? UNSTAMPED,
  };
}

/** @param like has the texts of another version of it already, some of which may be the same. */
export function metadataOf(
  { desired, reported }: ShownShadow,
  like?: { readonly shown: ShownShadow; readonly metadata: MetadataTexts },
): MetadataTexts {
  return {
    desired: same(desired, like?.shown.desired) ? like?.metadata.desired : textOf(desired),
    reported: same(reported, like?.shown.reported) ? like?.metadata.reported : textOf(reported),
  };
}

function same(one: ShownSection | undefined, other: ShownSection | undefined): boolean {
  return one !== undefined && other !== undefined && one.value === other.value && one.stamps === other.stamps;
}

function textOf(section: ShownSection | undefined): string | undefined {
  return section === undefined ? undefined : metadataText(section.value, section.stamps);
}

function sectionOf(value: JsonObject | undefined, stamps: StampTree | undefined): ShownSection | undefined {
  return value === undefined ? undefined : { value, stamps: stamps ?? UNSTAMPED };
}
