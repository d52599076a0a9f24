import { sql, type Expression, type ExpressionBuilder, type SqlBool } from 'kysely';
import type { Database, Schema } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { parseAttributes } from '../device-rows.ts';
import { attributeField } from '../device-terms.ts';
import { findableValues, shadowTermField } from '../shadow-values.ts';
import { ROOT_GROUP } from '../group-path.ts';
import { DeviceSet } from '../index/device-set.ts';
import { devicesOfTerms, devicesWith, devicesWithAny } from '../index/read-postings.ts';
import {
  ALL_DEVICES,
  CONNECTED,
  inGroup,
  present,
  quantity,
  SEEN,
  several,
  truth,
  underGroup,
  word,
  type Term,
} from '../index/term.ts';
import { naturalKey } from '../index/natural-key.ts';
import { chunksOf } from '../statement-chunks.ts';
import type { Filter, Scalar, TextColumn, ValueField } from './filter-ast.ts';
import { costOf } from './filter-cost.ts';
import { gatherRanges, type ValueRange } from './filter-ranges.ts';
import { devicesByTime } from './time-search.ts';
import { findShadowFields } from './shadow-fields.ts';
import { isOrdered, isValueCondition, valueHolds, valuesOfAttribute } from './value-holds.ts';
import { afterPrefix, isLike, isPrefixOnly, LIKE_ESCAPE, prefixOf, toSqlLike } from './wildcard.ts';

type DeviceBuilder = ExpressionBuilder<Schema, 'device'>;
type DeviceCondition = (builder: DeviceBuilder) => Expression<SqlBool>;

export interface SearchBounds {
  /** So few candidates are asked for by number where a condition has no posting. */
  readonly fewCandidates: number;
  /** Of so few candidates the attributes are read where a condition may have very many values. */
  readonly fewValues: number;
  /** Where more rows than this match, those that do not are read if they are fewer. */
  readonly manyRows: number;
  /** What one search may read: about so many devices by their ids, names and ranges of values. */
  readonly mostRead: number;
}

const BOUNDS: SearchBounds = { fewCandidates: 10_000, fewValues: 500, manyRows: 20_000, mostRead: 4_000_000 };

/**
 * Finds the devices for which a filter holds.
 *
 * What has postings (types, groups, tags, attributes, connectivity, days) costs 62 rows for each value and some 50 µs for each
 * `and`, `or`, `not` at a million devices. Ids, names and times are read from their indexes, as few rows as can be:
 * those conditions come last, and only for what is left when that is little.
 *
 * Values only ever come into a statement as bound parameters.
 */
export class FilterSearch {
  readonly #database: Database;
  readonly #nowMs: number;
  readonly #bounds: SearchBounds;
  #shadowFields: ReadonlyMap<string, number> = new Map();
  #everything: DeviceSet | undefined;
  #read = 0;

  /** @param database one transaction, so that all parts of the answer are of one moment. */
  constructor(database: Database, nowMs: number, bounds: SearchBounds = BOUNDS) {
    this.#database = database;
    this.#nowMs = nowMs;
    this.#bounds = bounds;
  }

  /** @throws SelsynError `request.invalid` where it asks for a field of a shadow that was not declared. */
  async matches(filter: Filter): Promise<DeviceSet> {
    this.#shadowFields = await findShadowFields(this.#database, filter);
    return await this.#find(filter, undefined);
  }

  /** May leave out, and may hold, devices that are not among the candidates. */
  async #find(filter: Filter, candidates: DeviceSet | undefined): Promise<DeviceSet> {
    switch (filter.kind) {
      case 'and':
        return await this.#every(filter.items, candidates);
      case 'or': {
        let found = new DeviceSet();
        for (const item of filter.items) found = found.or(await this.#find(item, candidates));
        return found;
      }
      case 'not':
        return (candidates ?? (await this.#all())).andNot(await this.#find(filter.item, candidates));
      case 'all':
        return await this.#all();
      case 'value':
        if (filter.comparison === '=')
          return await devicesWith(this.#database, termOf(this.#fieldOf(filter.field), filter.literal));
        return (await this.#byValues(filter, candidates)) ?? (await this.#range(this.#fieldOf(filter.field), [filter]));
      case 'value-like':
        return (
          (await this.#byValues(filter, candidates)) ?? (await this.#valuesLike(this.#fieldOf(filter.field), filter.pattern))
        );
      case 'value-exists':
        return filter.field.kind === 'type'
          ? await devicesWithAny(this.#database, 'type', 's', (builder) => builder('text', '!=', ''))
          : await devicesWith(this.#database, present(this.#fieldOf(filter.field)));
      case 'tag':
        return await devicesWith(this.#database, word('tag', filter.tag));
      case 'connected':
        return await devicesWith(this.#database, CONNECTED);
      case 'seen':
        return await devicesWith(this.#database, SEEN);
      case 'group':
        return await this.#group(filter.path, filter.below);
      case 'text':
        return await this.#rows(candidates, (builder) => builder(filter.column, '=', filter.text));
      case 'name-exists':
        return await this.#rows(candidates, (builder) => builder('name', 'is not', null));
      case 'text-like':
        return await this.#textLike(filter.column, filter.pattern, candidates);
      case 'time':
        return await this.#time(filter, candidates);
    }
  }

  async #every(items: readonly Filter[], candidates: DeviceSet | undefined): Promise<DeviceSet> {
    let left = candidates;
    for (const item of [...gatherRanges(items)].sort((a, b) => costOf(a) - costOf(b))) {
      if (item.kind === 'not') left = (left ?? (await this.#all())).andNot(await this.#find(item.item, left));
      else {
        const found = item.kind === 'range' ? await this.#between(item, left) : await this.#find(item, left);
        left = left === undefined ? found : left.and(found);
      }
      if (left.isEmpty) break;
    }
    return left ?? (await this.#all());
  }

  async #all(): Promise<DeviceSet> {
    this.#everything ??= await devicesWith(this.#database, ALL_DEVICES);
    return this.#everything;
  }

  async #between(range: ValueRange, candidates: DeviceSet | undefined): Promise<DeviceSet> {
    const field = this.#fieldOf(range.field);
    const isSingle = (await devicesWith(this.#database, several(field))).isEmpty;
    if (isSingle && fewOf(candidates, this.#bounds.fewValues) === undefined) return await this.#range(field, range.bounds);
    let left = candidates;
    for (const bound of range.bounds) {
      const found = await this.#find(bound, left);
      left = left === undefined ? found : left.and(found);
    }
    return left ?? new DeviceSet();
  }

  /** Devices with a value for which all bounds hold. They are of one kind. */
  async #range(field: string, bounds: readonly Extract<Filter, { kind: 'value' }>[]): Promise<DeviceSet> {
    const isNumber = bounds[0]?.literal.kind === 'number';
    const found = await devicesWithAny(this.#database, field, isNumber ? 'n' : 's', (builder) =>
      builder.and(
        bounds.map(({ comparison, literal }) =>
          literal.kind === 'number'
            ? builder('number', comparison, literal.number)
            : builder('natural_key', comparison, naturalKey(literal.kind === 'text' ? literal.text : '')),
        ),
      ),
    );
    this.#spend(found.count());
    return found;
  }

  /** By reading the values of the candidates; undefined where these are not few. */
  async #byValues(filter: Filter, candidates: DeviceSet | undefined): Promise<DeviceSet | undefined> {
    const few = fewOf(candidates, this.#bounds.fewValues);
    if (few === undefined || !isValueCondition(filter)) return undefined;
    const { field } = filter;
    const found = new DeviceSet();
    for (const some of chunksOf(few)) {
      if (field.kind === 'attribute') {
        const rows = await this.#database
          .selectFrom('device')
          .select(['number', 'attributes'])
          .where('number', 'in', some)
          .execute();
        for (const row of rows) {
          if (valueHolds(valuesOfAttribute(parseAttributes(row.attributes), field.path), filter)) found.add(Number(row.number));
        }
      } else {
        const rows = await this.#database
          .selectFrom('device_shadow_value')
          .select(['number', 'value'])
          .where('field_id', '=', this.#shadowFieldId(field.field))
          .where('number', 'in', some)
          .execute();
        for (const row of rows) if (valueHolds(findableValues(row.value), filter)) found.add(Number(row.number));
      }
    }
    return found;
  }

  async #valuesLike(field: string, pattern: string): Promise<DeviceSet> {
    const prefix = prefixOf(pattern);
    const end = afterPrefix(prefix);
    let query = this.#database
      .selectFrom('device_term')
      .select(['id', 'text'])
      .where('field', '=', field)
      .where('kind', '=', 's');
    if (prefix !== '') query = query.where('text', '>=', prefix);
    if (end !== undefined) query = query.where('text', '<', end);
    const terms = await query.execute();
    this.#spend(terms.length);
    return await devicesOfTerms(
      this.#database,
      terms.filter(({ text }) => isLike(text, pattern)).map(({ id }) => Number(id)),
    );
  }

  async #group(path: string, below: boolean): Promise<DeviceSet> {
    if (below && path === ROOT_GROUP) return await this.#all();
    const row = await this.#database.selectFrom('device_group').select('id').where('path', '=', path).executeTakeFirst();
    if (row === undefined) return new DeviceSet();
    return await devicesWith(this.#database, below ? underGroup(Number(row.id)) : inGroup(Number(row.id)));
  }

  async #textLike(column: TextColumn, pattern: string, candidates: DeviceSet | undefined): Promise<DeviceSet> {
    const prefix = prefixOf(pattern);
    const end = afterPrefix(prefix);
    const inRange: DeviceCondition = (builder) =>
      builder.and([
        builder(column, 'is not', null),
        ...(prefix === '' ? [] : [builder(column, '>=', prefix)]),
        ...(end === undefined ? [] : [builder(column, '<', end)]),
        ...(isPrefixOnly(pattern) ? [] : [sql<SqlBool>`${builder.ref(column)} like ${toSqlLike(pattern)} escape ${LIKE_ESCAPE}`]),
      ]);
    if (isPrefixOnly(pattern) && column === 'id') {
      return await this.#fewer(candidates, inRange, (builder) =>
        builder.or([builder('id', '<', prefix), ...(end === undefined ? [] : [builder('id', '>=', end)])]),
      );
    }
    return await this.#rows(candidates, inRange, { column, pattern });
  }

  async #time(filter: Extract<Filter, { kind: 'time' }>, candidates: DeviceSet | undefined): Promise<DeviceSet> {
    const { column, comparison, literal } = filter;
    const { manyRows } = this.#bounds;
    const ms = literal.kind === 'ago' ? this.#nowMs - literal.ms : literal.ms;
    if (column === 'createdAt') {
      if (fewOf(candidates, this.#bounds.fewCandidates) !== undefined) {
        return await this.#rows(candidates, (builder) => builder('created_at_ms', comparison, ms));
      }
      return await devicesByTime(this.#database, { column, comparison, ms, manyRows, everyone: async () => await this.#all() });
    }
    // Who is connected is seen at this moment; of the others the time is kept at which they were last.
    const connected = await devicesWith(this.#database, CONNECTED);
    const everyone = async (): Promise<DeviceSet> => (await devicesWith(this.#database, SEEN)).andNot(connected);
    const found = await devicesByTime(this.#database, { column, comparison, ms, manyRows, everyone });
    return isOrdered(Math.sign(this.#nowMs - ms), comparison) ? found.or(connected) : found;
  }

  /** The rows for which a condition holds, or all without those for which it does not, whichever are fewer. */
  async #fewer(candidates: DeviceSet | undefined, condition: DeviceCondition, opposite: DeviceCondition): Promise<DeviceSet> {
    const isFew = fewOf(candidates, this.#bounds.fewCandidates) !== undefined;
    if (isFew || (await this.#areFew(condition)) || !(await this.#areFew(opposite)))
      return await this.#rows(candidates, condition);
    return (await this.#all()).andNot(await this.#rows(undefined, opposite));
  }

  async #areFew(condition: DeviceCondition): Promise<boolean> {
    const { manyRows } = this.#bounds;
    const { count } = await this.#database
      .selectFrom((builder) =>
        builder
          .selectFrom('device')
          .select('number')
          .where(condition)
          .limit(manyRows + 1)
          .as('some'),
      )
      .select((builder) => builder.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    return Number(count) <= manyRows;
  }

  /** @param like what the rows are held against more closely than the engine does; only the index on its column is read. */
  async #rows(
    candidates: DeviceSet | undefined,
    condition: DeviceCondition,
    like?: { readonly column: TextColumn; readonly pattern: string },
  ): Promise<DeviceSet> {
    const matching = this.#database.selectFrom('device').where('number', 'is not', null).where(condition);
    const few = fewOf(candidates, this.#bounds.fewCandidates);
    if (few === undefined) this.#spend(like === undefined || isPrefixOnly(like.pattern) ? 0 : (await this.#all()).count());
    const found = new DeviceSet();
    for (const some of few === undefined ? [undefined] : chunksOf(few)) {
      const rows = some === undefined ? matching : matching.where('number', 'in', some);
      if (like === undefined) {
        for (const { number } of await rows.select('number').execute()) found.add(Number(number));
      } else {
        for (const row of await rows.select(['number', like.column]).execute()) {
          if (isLike(row[like.column] ?? '', like.pattern)) found.add(Number(row.number));
        }
      }
    }
    this.#spend(found.count());
    return found;
  }

  /** Of terms. */
  #fieldOf(field: ValueField): string {
    switch (field.kind) {
      case 'type':
        return 'type';
      case 'attribute':
        return attributeField(field.path);
      case 'shadow':
        return shadowTermField(this.#shadowFieldId(field.field));
    }
  }

  #shadowFieldId(field: string): number {
    const id = this.#shadowFields.get(field);
    if (id === undefined) throw new SelsynError('internal', `the field ${field} was not looked up`);
    return id;
  }

  /** @throws SelsynError `request.invalid`: one request may not hold up all others. */
  #spend(devices: number): void {
    this.#read += devices;
    if (this.#read <= this.#bounds.mostRead) return;
    throw new SelsynError(
      'request.invalid',
      'the filter asks for too much: fewer like, < and >, or a narrower group, type or tag',
      {
        details: { field: 'filter' },
      },
    );
  }
}

function fewOf(candidates: DeviceSet | undefined, most: number): readonly number[] | undefined {
  if (candidates === undefined || candidates.blocks.size > most) return undefined;
  const numbers = candidates.take(most + 1);
  return numbers.length > most ? undefined : numbers;
}

function termOf(field: string, literal: Scalar): Term {
  switch (literal.kind) {
    case 'truth':
      return truth(field, literal.truth);
    case 'number':
      return quantity(field, literal.number);
    case 'text':
      return word(field, literal.text);
  }
}
