import { parse } from 'csv-parse/sync';
import { SelsynError } from '../../kernel/errors.ts';
import { ATTRIBUTE_NAME, MAX_ATTRIBUTES_DEPTH } from '../device-attributes.ts';

/** What stands in a column of CSV. */
export type Column =
  | { readonly kind: 'id' | 'name' | 'type' | 'group' | 'tags' | 'token' | 'attributes' }
  /** An attribute by its path; `isText`: its cells are text whatever they look like. */
  | { readonly kind: 'attribute'; readonly path: readonly string[]; readonly isText: boolean };

export interface CsvHeader {
  readonly delimiter: ',' | ';' | '\t';
  readonly columns: readonly Column[];
}

const PLAIN: ReadonlySet<string> = new Set(['id', 'name', 'type', 'group', 'tags', 'token', 'attributes']);
const ATTRIBUTE_PREFIX = 'attributes.';
const TEXT_SUFFIX = / \(text\)$/;
export const MAX_COLUMNS = 1000;

/**
 * Reads the first line: names with a comma between, or a semicolon or a tab, as spreadsheets write in many countries.
 *
 * @throws SelsynError `request.invalid` that names the column
 */
export function readCsvHeader(line: string): CsvHeader {
  const delimiter = ([',', ';', '\t'] as const).find((each) => line.includes(each)) ?? ',';
  const names = namesIn(line, delimiter);
  if (names.length > MAX_COLUMNS) throw invalid(`a file has at most ${MAX_COLUMNS} columns`);
  const columns = names.map(columnOf);
  const seen = new Set<string>();
  for (const name of names) {
    const plain = name.replace(TEXT_SUFFIX, '');
    if (seen.has(plain)) throw invalid(`the column ${plain} stands there twice`);
    seen.add(plain);
  }
  if (!seen.has('id'))
    throw invalid('no column is named id: the first line of the file names the columns, as id,name,type,group,tags');
  return { delimiter, columns };
}

function namesIn(line: string, delimiter: string): readonly string[] {
  try {
    const [names = []]: readonly string[][] = parse(line, { delimiter, trim: true, relax_column_count: true });
    return names;
  } catch (error) {
    throw new SelsynError('request.invalid', 'the first line of the file is not CSV', {
      cause: error,
      details: { field: 'header' },
    });
  }
}

function columnOf(name: string): Column {
  if (PLAIN.has(name)) return { kind: name as Exclude<Column['kind'], 'attribute'> };
  if (!name.startsWith(ATTRIBUTE_PREFIX)) {
    throw invalid(
      `the column "${name.slice(0, 80)}" is none of id, name, type, group, tags, token, attributes; an attribute is named as attributes.site`,
    );
  }
  const path = name.slice(ATTRIBUTE_PREFIX.length).replace(TEXT_SUFFIX, '').split('.');
  if (path.length > MAX_ATTRIBUTES_DEPTH || !path.every((each) => ATTRIBUTE_NAME.test(each))) {
    throw invalid(`"${name.slice(0, 200)}" does not name an attribute`);
  }
  return { kind: 'attribute', path, isText: TEXT_SUFFIX.test(name) };
}

function invalid(message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field: 'header' } });
}
