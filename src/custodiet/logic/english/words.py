"""Word lists: everyday content of which true knowledge is no help, and categories set against the world.

No list holds two words of which one tells about another (tall and short, mother and parent), so that no problem can be
answered, or spoilt, by knowing English. Nothing here begins another entry of the same vocabulary.
"""

from __future__ import annotations

__all__ = [
    "ABSURDITIES", "ACTIVITIES", "ADJECTIVES", "BOOKS", "CATEGORIES", "CITIES", "DEEDS", "GIVING", "LINKS", "NAMES",
    "PROFESSIONS", "QUALITIES", "REGARDS", "STATES", "TYPES",
]  # fmt: skip


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Lines of "left | right; right"."""
    found = []
    for line in text.strip().splitlines():
        left, _, rights = line.partition(" | ")
        found += [(left.strip(), one.strip()) for one in rights.split(";")]
    return tuple(found)


NAMES = _words(
    "Ada Alba Amos Anna Aron Bella Boris Bruno Carla Cleo Clara Cyrus Dana Daria David Edna Elias Ella Emil Emma Enzo "
    "Erik Esther Fay Felix Fiona Flora Frida Gina Greta Hana Hector Hugo Ida Inga Iris Ivan Jonas Judith Julia Kara "
    "Karl Lena Leo Lina Lola Lucas Luna Magda Malik Mara Marco Marta Milo Mina Mira Nadia Nina Noah Nora Olga Omar "
    "Oscar Otto Paula Pedro Petra Quentin Ralph Rex Rita Rosa Ruben Ruth Sam Sara Selma Simon Stella Tara Theo Tina "
    "Toby Uma Vera Victor Viola Wanda Xenia Yara Yuri Zara Zoe"
)
CITIES = _words(
    "Arlenby Ashmoor Barrowell Beltane Brackford Caldmere Carrowby Corvale Dunhollow Eastmarch Elmsworth Fairhythe "
    "Fenwater Glenmarrow Greyhaven Halloway Harrowgate Hollin Ironbridge Kelmarsh Kingsreach Larkmoor Lindenau Marlowe "
    "Merefield Millbrook Northwick Oakhurst Oldbarrow Penrose Quarrington Ravensby Redwater Saltmarsh Silverton "
    "Stonecross Thornbury Tilmouth Underhill Valemont Westerly Whitcombe Wolfsbane Yarrowby"
)
BOOKS = (
    "Night Harbor", "The Glass Orchard", "Seven Keys", "The Last Ferry", "Winter Maps", "A Quiet Ledger", "Paper Lanterns",
    "The Salt Road", "Borrowed Thunder", "The Long Table", "Copper Rain", "The Inland Sea", "Minor Planets",
    "The Clockmaker", "Half a Bridge", "Red Kites", "The Empty Pier", "Letters to Nobody", "The Third Garden",
    "Slow Fire", "The Blue Staircase", "An Honest Ghost", "Low Tide", "The Beekeeper", "Northern Lights", "The Tin Whistle",
    "Small Hours", "The Weather House", "Green Ink", "The Hollow Year",
)  # fmt: skip
PROFESSIONS = _words(
    "accountant actor archivist astronomer baker barber beekeeper blacksmith bookbinder botanist builder butcher carpenter "
    "chemist cobbler composer dancer dentist diver doctor drummer editor electrician engineer farmer firefighter florist "
    "gardener geologist glazier hairdresser historian illustrator interpreter jeweler journalist judge juggler "
    "lawyer librarian locksmith magician mathematician mechanic miller miner novelist nurse optician painter pharmacist "
    "philosopher photographer physicist pianist pilot plumber poet potter printer roofer sailor sculptor shepherd singer "
    "surgeon surveyor tailor teacher translator umpire undertaker violinist waiter watchmaker weaver welder"
)
ADJECTIVES = _words(
    "absent-minded ambitious brave busy calm careful cautious cheerful clever curious eager elegant famous friendly funny "
    "generous gentle graceful grateful honest hungry impatient imaginative left-handed lucky modest musical "
    "nervous nimble organized patient persistent polite popular practical proud punctual quick-witted quiet reliable "
    "sensible sleepy stubborn superstitious talkative tall thrifty ticklish tidy tired well-read witty"
)
# What a person does: base form | third person.
ACTIVITIES = _pairs("""
bake bread | bakes bread
brew tea | brews tea
build kites | builds kites
carve spoons | carves spoons
collect stamps | collects stamps
cook lunch | cooks lunch
cut hedges | cuts hedges
dance the tango | dances the tango
draw maps | draws maps
drink coffee | drinks coffee
drive a van | drives a van
eat olives | eats olives
fly gliders | flies gliders
fold napkins | folds napkins
grow roses | grows roses
hum old tunes | hums old tunes
keep bees | keeps bees
keep a diary | keeps a diary
knit scarves | knits scarves
make candles | makes candles
mend clocks | mends clocks
play chess | plays chess
play the cello | plays the cello
play the flute | plays the flute
press flowers | presses flowers
read poetry | reads poetry
repair radios | repairs radios
ride a bicycle | rides a bicycle
run marathons | runs marathons
sing in a choir | sings in a choir
sketch bridges | sketches bridges
speak Dutch | speaks Dutch
speak Welsh | speaks Welsh
study beetles | studies beetles
swim in the lake | swims in the lake
take the tram | takes the tram
tell riddles | tells riddles
travel by train | travels by train
visit museums | visits museums
wake up early | wakes up early
walk to work | walks to work
watch birds | watches birds
water the plants | waters the plants
wear a hat | wears a hat
wear glasses | wears glasses
work at night | works at night
write letters | writes letters
write songs | writes songs
""")
# What is so or not, each of another thing: subject | predicate after "is".
STATES = _pairs("""
the alarm | set
the attic | empty
the back gate | locked
the bakery | closed
the ball | under the sofa
the balloon | yellow
the bathtub | full
the bell | ringing
the bench | wet
the bicycle | in the yard
the blanket | folded
the blue vase | cracked
the boat | at the pier
the bottle | sealed
the bridge | open
the bucket | on the porch
the bus | late
the cake | in the oven
the camera | in the drawer
the candle | lit
the carpet | rolled up
the cat | asleep
the cellar | dry
the chair | painted
the clock | fast
the coat | on the hook
the concert | sold out
the cupboard | locked
the curtain | drawn
the dog | barking
the door | open
the dress | ironed
the drum | broken
the engine | running
the envelope | stamped
the fan | on
the fence | green
the ferry | delayed
the fire | out
the flag | raised
the flight | full
the fountain | running
the freezer | humming
the garage | tidy
the garden | watered
the glass | chipped
the grass | mown
the guitar | tuned
the hall | decorated
the harbor | crowded
the heater | warm
the house | for sale
the kettle | boiling
the key | under the mat
the kitchen | clean
the kite | in the tree
the ladder | against the wall
the lamp | on
the laundry | done
the lawn | frozen
the letter | signed
the library | open
the lift | out of order
the light | green
the market | busy
the meeting | canceled
the milk | sour
the mirror | covered
the museum | free today
the oven | hot
the package | at the door
the painting | sold
the parade | over
the park | quiet
the parrot | talking
the pen | leaking
the phone | charged
the piano | out of tune
the plate | on the shelf
the pool | heated
the postcard | from Lisbon
the printer | jammed
the radio | on
the report | finished
the river | high
the road | icy
the roof | repaired
the room | booked
the rope | long enough
the scarf | striped
the school | renovated
the ship | in port
the shirt | blue
the shop | hiring
the sink | clogged
the soup | salty
the square | lit up
the stage | set up
the station | crowded
the statue | covered
the stove | off
the street | blocked
the suitcase | packed
the sun | shining
the table | set
the tap | dripping
the taxi | outside
the tea | ready
the tent | dry
the theater | dark
the ticket | valid
the tower | closed
the train | on time
the tram | full
the tunnel | flooded
the umbrella | lost
the valley | foggy
the van | loaded
the wall | painted
the watch | repaired
the well | deep
the wind | strong
the window | shut
""")
# Said of two: base form | participle, for "likes", "does not like", "is liked by".
DEEDS = _pairs("""
admire | admired
advise | advised
amuse | amused
applaud | applauded
assist | assisted
avoid | avoided
blame | blamed
call | called
congratulate | congratulated
distract | distracted
employ | employed
encourage | encouraged
envy | envied
fear | feared
follow | followed
forgive | forgiven
greet | greeted
guide | guided
help | helped
imitate | imitated
interrupt | interrupted
invite | invited
like | liked
miss | missed
mistrust | mistrusted
notice | noticed
pity | pitied
praise | praised
protect | protected
pay | paid
question | questioned
recommend | recommended
remember | remembered
replace | replaced
respect | respected
scold | scolded
support | supported
surprise | surprised
teach | taught
tease | teased
thank | thanked
trust | trusted
understand | understood
warn | warned
""")
# Said of two of any kind.
LINKS = _pairs("""
affect | affected
brighten | brightened
complement | complemented
cover | covered
define | defined
delay | delayed
disturb | disturbed
face | faced
feed | fed
finance | financed
inspire | inspired
limit | limited
mark | marked
mirror | mirrored
outshine | outshone
recall | recalled
refresh | refreshed
resemble | resembled
restore | restored
shelter | sheltered
strengthen | strengthened
supply | supplied
threaten | threatened
touch | touched
trouble | troubled
""")
# Said of a person and anything else.
REGARDS = _pairs("""
admire | admired
avoid | avoided
celebrate | celebrated
criticize | criticized
describe | described
discover | discovered
favor | favored
fear | feared
ignore | ignored
like | liked
mention | mentioned
miss | missed
notice | noticed
paint | painted
photograph | photographed
praise | praised
protect | protected
recognize | recognized
recommend | recommended
remember | remembered
""")
# Said of three: base form | the word before the third.
GIVING = _pairs("""
assign | to
attach | to
compare | with
confuse | with
connect | with
explain | to
introduce | to
link | to
match | with
prefer | to
present | to
reveal | to
send | to
show | to
""")
# What a thing of any kind may be.
QUALITIES = _words(
    "ancient beautiful blue bright charming colorful damaged delightful expensive fashionable fragrant "
    "genuine gloomy gray green humble impressive lively lovely magnificent modern mysterious neglected noisy orange "
    "ornate overrated peaceful pretty purple rare red remarkable respectable rustic sacred "
    "sturdy strange unusual useful well-known windy yellow"
)
# What a thing may count as, none of which excludes another.
TYPES = _words(
    "attraction bargain blessing challenge classic curiosity disappointment discovery exception favorite "
    "heirloom hoax inspiration jewel landmark luxury marvel masterpiece memento mystery nuisance oddity original "
    "prize puzzle rarity relic riddle sensation souvenir specimen symbol treasure trophy wonder"
)
# Categories of the world that have no member in common.
CATEGORIES = _words(
    "airplane anchor apple balloon banana beetle bicycle bird bridge broom cabbage camel candle carrot castle cat cloud "
    "clock comet crab crocodile desert diamond dolphin doughnut drum elephant envelope fern flute fork fox frog giraffe "
    "glacier glove guitar hammer harp hedgehog helicopter horse iceberg island jellyfish kettle kite ladder lamp lemon "
    "lighthouse lizard lobster mirror moon moth mountain mushroom needle oak octopus onion orchid oyster pancake pencil "
    "penguin piano pillow planet potato pumpkin rabbit rainbow river robot rocket rose sandwich scorpion shark snail "
    "spider spoon squirrel star submarine tent tiger tomato tortoise train trumpet tulip umbrella violin volcano "
    "whale window wolf worm"
)
# What is never so: subject | predicate after "is".
ABSURDITIES = _pairs("""
the Amazon | a desert; frozen all year
the Atlantic | made of milk; smaller than a pond
the Eiffel Tower | in Peru; made of glass
the English alphabet | made of numbers; endless
the Great Wall | in Brazil; invisible
the Moon | made of cheese; hotter than the Sun
the North Pole | in Africa; covered with palms
the Pacific | dry; a mountain lake
the Sahara | under water; a rain forest
the Sun | cold; smaller than a pea
the equator | a straight line to Mars; in Norway
the human heart | made of wood; in the left foot
ash | poisonous to stones; made of gold
bread | made of sand; a metal
butter | harder than steel; a kind of wood
chalk | transparent; softer than air
charcoal | white; made of ice
chess | played with spoons; a team sport for fish
chocolate | a mineral; blue by nature
clay | a gas; lighter than feathers
coal | colorless; mined from clouds
coffee | made from fish; a kind of paper
concrete | soft; edible
copper | a liquid in winter; a plant
cork | heavier than lead; a metal
cotton | mined from rock; made by bees
dew | solid iron; hotter than lava
fire | wet; colder than snow
flour | a liquid; magnetic
fog | made of wool; heavier than stone
glass | a vegetable; woven by spiders
gold | cheaper than sand; green
gravel | a drink; soft as butter
hail | hot; made of sugar
honey | made by horses; sour
ice | hot; made of salt
ink | made of light; dry by nature
iron | lighter than air; a fruit
ivory | black; grown on trees
jam | made of stones; a gas
lava | ice-cold; drinkable
lead | lighter than foam; a flower
leather | made of water; a kind of glass
lemonade | solid; made of leather
lightning | slow; silent
marble | elastic; eaten for breakfast
mercury | a wild animal; a kind of cheese
milk | black; mined from rock
mist | made of steel; square
mud | transparent; a precious metal
oxygen | a solid at noon; purple
paper | made of lava; fireproof by nature
pepper | sweet; knitted
petrol | good for babies; made of snow
porcelain | a vegetable oil; made of feathers
quartz | alive; softer than cream
rain | dry; falling upward
rice | an animal; harvested from chimneys
rubber | brittle as glass; a kind of stone
rust | a perfume; made of silver
salt | sweet; made of leaves
sand | a liquid; grown on farms
silk | made by cows; rougher than gravel
silver | made of wood; blue as the sky
smoke | heavier than iron; made of water
snow | black; warm
soap | a spice; made of coal
steam | a solid; colder than ice
steel | softer than bread; woven from hair
sugar | salty; a metal
thunder | silent; a smell
velvet | made of nails; a soup
vinegar | sweet as honey; a stone
water | dry; made of dust
wax | a metal; hard as diamond
wheat | a kind of fish; grown in caves
wine | made from potatoes by birds; a solid
wool | made of steel; grown on trees
""")
