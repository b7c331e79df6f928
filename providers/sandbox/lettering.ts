// Text as SVG paths in a pixel alphabet of our own, because a fresh machine may have no fonts at all. Knows ASCII;
// accents are dropped and anything else is drawn as a box.

/** Cells of one character: 5 wide and 7 high, and one empty column and two empty rows after it. */
export const CELL_WIDTH = 6
export const CELL_HEIGHT = 9

// Seven rows from top to bottom, each five pixels as one digit of base 32, the leftmost pixel worth 16.
const GLYPHS = new Map(
  `A=ehhvhhh B=uhhuhhu C=ehggghe D=uhhhhhu E=vgguggv F=vgguggg G=ehgnhhf H=hhhvhhh I=e44444e J=72222ic K=hikokih
   L=ggggggv M=hrllhhh N=hhpljhh O=ehhhhhe P=uhhuggg Q=ehhhlid R=uhhukih S=fgge11u T=v444444 U=hhhhhhe V=hhhhha4
   W=hhhllrh X=hha4ahh Y=hhha444 Z=v1248gv a=00e1fhf b=ggmphhu c=00egghe d=11djhhf e=00ehvge f=698s888 g=0fhhf1e
   h=ggmphhh i=40c444e j=20622ic k=ggikoki l=c44444e m=00qllhh n=00mphhh o=00ehhhe p=00uhhug q=00fhhf1 r=00mpggg
   s=00ege1u t=88s8896 u=00hhhjd v=00hhha4 w=00hhlla x=00ha4ah y=00hhf1e z=00v248v 0=ehjlphe 1=4c4444e 2=eh1248v
   3=v2421he 4=26aiv22 5=vgu11he 6=68guhhe 7=v124888 8=ehhehhe 9=ehhf12c !=4444004 "=aaa0000 #=aavavaa $=4fke5u4
   %=op248j3 &=cik8lid '=4480000 (=2488842 )=8422248 *=04lel40 +=044v440 ,=0000c48 -=000v000 .=00000cc /=01248g0
   :=0cc0cc0 ;=0cc0c48 <=248g842 ==00v0v00 >=8421248 ?=eh12404 @=eh1dlle [=e88888e \\=0g84210 ]=e22222e ^=4ah0000
   _=000000v \`=8420000 {=2448442 |=4444444 }=8442448 ~=008l200`
    .split(/\s+/)
    .map((entry) => [entry.slice(0, 1), entry.slice(2)] as const),
)
const BOX = 'vhhhhhv'
const TYPOGRAPHY: Record<string, string> = { '‘': "'", '’': "'", '“': '"', '”': '"', '–': '-', '—': '-', '…': '...' }

/** The `d` of a path in cell units: the first line's top left pixel is at 0 0. */
export function lettersPath(lines: string[]): string {
  const runs: string[] = []
  for (const [line_index, line] of lines.entries()) {
    for (const [index, character] of [...line].entries()) {
      if (character !== ' ') runs.push(glyphPath(character, index * CELL_WIDTH, line_index * CELL_HEIGHT))
    }
  }
  return runs.join('')
}

function glyphPath(character: string, left: number, top: number): string {
  let path = ''
  for (const [row, digit] of [...(GLYPHS.get(character) ?? BOX)].entries()) {
    const pixels = Number.parseInt(digit, 32).toString(2).padStart(5, '0')
    for (const run of pixels.matchAll(/1+/g)) {
      path += `M${left + run.index} ${top + row}h${run[0].length}v1h-${run[0].length}z`
    }
  }
  return path
}

/** Lines of at most `columns` characters, broken at spaces where it can; the last one shows that something is left out. */
export function wrap(text: string, columns: number, most_lines: number): string[] {
  const lines = ['']
  for (const word of plain(text)
    .split(' ')
    .flatMap((long) => chunks(long, columns))) {
    const line = lines.at(-1) ?? ''
    if (line === '') lines[lines.length - 1] = word
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  if (lines.length <= most_lines) return lines
  const shown = lines.slice(0, most_lines)
  shown[most_lines - 1] = `${shown.at(-1)?.slice(0, Math.max(0, columns - 3))}...`
  return shown
}

const plain = (text: string): string =>
  text
    .replace(/[‘’“”–—…]/g, (sign) => TYPOGRAPHY[sign] ?? sign)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/\s+/g, ' ')
    .replace(/[^ -~]+/gu, (foreign) => '\u25a1'.repeat([...foreign].length))
    .trim()

const chunks = (word: string, length: number): string[] =>
  word.length <= length ? [word] : (word.match(new RegExp(`.{1,${length}}`, 'gu')) ?? [])
