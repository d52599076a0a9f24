import type { StateTexts } from './shadow-answers.ts';
import { metadataText } from './shadow-answers.ts';
import type { JsonObject, Layer, ShadowDocument, StampTree } from './shadow-document.ts';
import { mergeLayers, mergeStamps } from './shadow-merge.ts';

/** A layer with the texts of it: those are what takes the time, and most updates leave the other layers alone. */
export interface LayerTexts {
  readonly value: JsonObject;
  readonly stampTree: StampTree;
  readonly state: string;
  /** As they are stored. */
  readonly stamps: string;
  /** As AWS shows them. */
  readonly metadata: string;
}

/** A document with its texts. */
export interface DocumentTexts extends StateTexts {
  readonly own: LayerTexts | undefined;
  readonly inherited: LayerTexts | undefined;
  /** What is desired with what is inherited. */
  readonly desired: LayerTexts | undefined;
  readonly reported: LayerTexts | undefined;
}

const UNSTAMPED: StampTree = {};

/** @param before of the document before: what did not change is taken from there. */
export function textsOf(document: ShadowDocument, before: DocumentTexts | undefined): DocumentTexts {
  const own = layerOf(document, 'desired', before?.own);
  const reported = layerOf(document, 'reported', before?.reported);
  if (document.inherited === undefined) return { own, inherited: undefined, desired: own, reported };
  const inherited = layerOf(document, 'inherited', before?.inherited);
  return { own, inherited, desired: effectiveOf(inherited, own, before), reported };
}

function layerOf(document: ShadowDocument, layer: Layer, before: LayerTexts | undefined): LayerTexts | undefined {
  const value = document[layer];
  return value === undefined ? undefined : textsOfLayer(value, document.stamps[layer] ?? UNSTAMPED, before);
}

function textsOfLayer(value: JsonObject, stampTree: StampTree, before: LayerTexts | undefined): LayerTexts {
  if (before !== undefined && before.value === value && before.stampTree === stampTree) return before;
  return {
    value,
    stampTree,
    state: JSON.stringify(value),
    stamps: JSON.stringify(stampTree),
    metadata: metadataText(value, stampTree),
  };
}

function effectiveOf(
  inherited: LayerTexts | undefined,
  own: LayerTexts | undefined,
  before: DocumentTexts | undefined,
): LayerTexts | undefined {
  if (own === undefined || inherited === undefined) return own ?? inherited;
  if (before?.inherited === inherited && before.own === own) return before.desired;
  const value = mergeLayers(inherited.value, own.value) as JsonObject;
  const stamps = mergeStamps(
    { value: inherited.value, stamps: inherited.stampTree },
    { value: own.value, stamps: own.stampTree },
  );
  return textsOfLayer(value, stamps ?? UNSTAMPED, undefined);
}

/** Bytes of desired and reported as AWS counts them: without metadata, and without what is inherited. */
export function documentBytes({ own, reported }: DocumentTexts): number {
  return (own === undefined ? 0 : bytes(own.state)) + (reported === undefined ? 0 : bytes(reported.state));
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}
