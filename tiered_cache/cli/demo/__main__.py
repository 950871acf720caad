"""For trying"""

import argparse, sys
from tiered_cache.cli.demo import add_arguments, run

p = argparse.ArgumentParser()
add_arguments(p)
sys.exit(run(p.parse_args()))
